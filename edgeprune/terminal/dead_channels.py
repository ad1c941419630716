"""What `edgeprune prune --dead-only` shows: which channels went, why, and what that saves."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity, format_ratio


def format_sizes(document: Mapping[str, Any]) -> str:
    """Parameters and MACs before and after."""
    columns = (
        Column(heading=""),
        Column(heading="before", align="right"),
        Column(heading="after", align="right"),
        Column(heading="change", align="right"),
    )
    rows = [
        [
            label,
            format_quantity(document[f"{name}_before"], ""),
            format_quantity(document[f"{name}_after"], ""),
            format_ratio(document[f"{name}_after"], document[f"{name}_before"]),
        ]
        for name, label in (("params", "parameters"), ("macs", "MACs"))
    ]
    return format_table(columns, rows)


def format_stripped(found: Mapping[str, Any]) -> str:
    """Which channels went and why, what that saves, and the proof.

    Args:
        found: as `DeadResult.to_json` gives it.
    """
    columns = (
        Column(heading="dead channels of", wrap=True),
        Column(heading="number", align="right"),
        Column(heading="channels", wrap=True),
        Column(heading="why", wrap=True),
        Column(heading="known", wrap=True),
    )
    rows = [
        [
            row["layer"],
            f"{len(row['channels'])} of {row['of']}",
            _format_numbers(row["channels"]),
            row["reason"],
            f"{row['basis']} ({found['seen_samples']} samples)" if "data" in row["basis"] else row["basis"],
        ]
        for row in found["removed"]
    ]
    count = sum(len(row["channels"]) for row in found["removed"])
    sentence = (
        f"{found['output']}: the model without {count} dead channels equals the original: largest difference "
        f"{found['error']:.1e} of the output's range on {found['samples']} samples, "
        f"{found['tolerance']:.0e} allowed."
    )
    return "\n\n".join([format_table(columns, rows), format_sizes(found), wrap(sentence)])


def _format_numbers(numbers: Sequence[int]) -> str:
    """Ascending numbers, runs drawn together: "0-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
