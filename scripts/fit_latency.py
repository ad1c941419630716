"""Fit latency laws to published latencies, print their errors, and write them into the device profiles.

    python scripts/fit_latency.py ../shared/data [--write] [--plot FILE.svg] [--json FILE]

For each board, runtime and build: the errors for models whose architecture the fit has not seen, and how
many of them lie in the interval that goes with the estimate. `board_laws.py` says how profiles get theirs.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from board_laws import board_powers, model_laws
from latency_rows import Published, read_published
from phone_laws import phone_laws
from scatter import draw_scatter

from edgeprune.device.fitting import coverage_of, hold_out, interval_of
from edgeprune.device.profile import list_profiles
from edgeprune.device.profile_text import replace_table
from edgeprune.device.samples import Sample, count_architectures
from edgeprune.terminal.tables import Column, format_table

PROFILES = Path(__file__).resolve().parents[1] / "device_profiles"
MEDIAN_LIMIT, P90_LIMIT, COVERAGE_LIMIT, MODELS_NEEDED = 0.10, 0.25, 0.85, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """How well a law does on a board, runtime and build for models it has not seen.

    Attributes:
        device, runtime: of all samples; "" where there are several runtimes.
        name: with version, type and build.
        samples: what was published.
        ratios: measured over estimated, each by a fit without the sample's architecture.
    """

    device: str
    runtime: str
    name: str
    samples: Sequence[Sample]
    ratios: Sequence[float]

    @property
    def architectures(self) -> int:
        """How many different models there are."""
        return count_architectures(self.samples)

    def summarise(self) -> dict[str, Any]:
        """Figures of the table."""
        errors = np.abs(1 / np.array(self.ratios) - 1)
        low, high = interval_of(self.ratios, independent=self.architectures)
        row: dict[str, Any] = {
            "name": self.name,
            "rows": len(self.samples),
            "models": self.architectures,
            "median": float(np.median(errors)),
            "p90": float(np.quantile(errors, 0.9)),
            "low": low,
            "high": high,
            "coverage": coverage_of(self.samples, self.ratios),
        }
        holds = row["median"] <= MEDIAN_LIMIT and row["p90"] <= P90_LIMIT
        verdict = "hold" if holds and row["coverage"] >= COVERAGE_LIMIT else "do not"
        return row | {"verdict": verdict}


def score_groups(published: Sequence[Published]) -> list[Scored]:
    """Each board, runtime and build that enough models were published of."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for row in published:
        groups[row.device, row.runtime, row.version, row.dtype, row.build].append(row.sample)
    return [
        Scored(
            device=key[0],
            runtime=key[1],
            name=" ".join(part for part in key if part),
            samples=samples,
            ratios=hold_out(samples),
        )
        for key, samples in sorted(groups.items())
        if count_architectures(samples) >= MODELS_NEEDED
    ]


def score_boards(groups: Sequence[Scored]) -> list[Scored]:
    """The groups of each board together, TFLM and runtimes like X-CUBE-AI apart, and all boards of either."""
    together: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for group in groups:
        family = "TFLM" if group.runtime.startswith("TFLM") else "X-CUBE-AI and the like"
        together[group.device, family].append(group)
        together["all boards", family].append(group)
    return [
        Scored(
            device=device,
            runtime=family,
            name=f"{device}, {family}",
            samples=[sample for member in members for sample in member.samples],
            ratios=[ratio for member in members for ratio in member.ratios],
        )
        for (device, family), members in sorted(together.items())
    ]


def plot_groups(groups: Sequence[Scored]) -> str:
    """Predicted against published cycles, both axes logarithmic, as an SVG document."""
    points = [
        (
            sample.cycles,
            sample.cycles / ratio,
            "TFLM" if group.runtime.startswith("TFLM") else "X-CUBE-AI and the like",
            f"{sample.model}, {group.name}: {1 / ratio - 1:+.0%}",
        )
        for group in groups
        for sample, ratio in zip(group.samples, group.ratios, strict=True)
    ]
    return draw_scatter(
        points,
        colours={"TFLM": "#1f77b4", "X-CUBE-AI and the like": "#d95f02"},
        powers=(3.0, 9.5),
        axes=("published cycles", "predicted cycles, architecture held out"),
    )


def format_errors(rows: Sequence[dict[str, Any]]) -> str:
    """The table of errors, as printed."""
    columns = [Column(heading="board, runtime, build", wrap=True)]
    columns += [Column(heading=h, align="right") for h in ("rows", "median", "P90", "inside")]
    columns.append(Column(heading="limits"))
    return format_table(
        columns,
        [
            [
                row["name"],
                str(row["rows"]),
                f"{row['median']:.1%}",
                f"{row['p90']:.1%}",
                f"{row['coverage']:.0%}",
                row["verdict"],
            ]
            for row in rows
        ],
    )


def main() -> None:
    """Fit, print the errors, and write the profiles' tables if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true", help="the [latency] tables of device_profiles/")
    parser.add_argument("--plot", type=Path, help="predicted against published latencies, as SVG")
    parser.add_argument("--json", type=Path, help="the table")
    arguments = parser.parse_args()
    published = list(read_published(arguments.data))
    groups = score_groups(published)
    rows = [scored.summarise() for scored in (*groups, *score_boards(groups))]
    print(format_errors(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(plot_groups(groups), encoding="utf-8")
    laws = model_laws(published, list_profiles()) | phone_laws(arguments.data)
    for name, law in laws.items():
        pace = law.get("cycles_per_instruction") or law["ms_per_mac"]
        print(f"{name:30} {pace:9.3g}  {law['low']:.2f} to {law['high']:.2f}  {law['evidence']}")
        if arguments.write:
            path = PROFILES / f"{name}.toml"
            path.write_text(replace_table(path.read_text(encoding="utf-8"), "latency", law), encoding="utf-8")
    for name, power in board_powers(arguments.data).items():
        print(f"{name:30} {power['active_mw']:9.3g} mW")
        if arguments.write:
            path = PROFILES / f"{name}.toml"
            path.write_text(replace_table(path.read_text(encoding="utf-8"), "power", power), encoding="utf-8")


if __name__ == "__main__":
    main()
