"""Builds with one part left out, beside whole ones: runs of `bench_pruning.py` with `--set`."""

from collections.abc import Mapping, Sequence
from typing import Any

from documentation.markdown import table

from benchmarks.rows import Row
from benchmarks.tables import Entry, describe, format_metric, gather

PARTS: Mapping[str, Mapping[str, Any]] = {
    "all parts": {},
    "no teacher": {"edgeprune.keras_bridge.training.train.USUAL_SHARE": 0},
    "one plan, not tried against others": {
        "edgeprune.methods.plans.TRIAL_SHARE": 0,
        "edgeprune.methods.plans.WIDTHS_SHARE": 0,
    },
    "the compiled learning rate": {"learning_rate": 1e-3},
    "a tenth of that rate": {"learning_rate": 1e-4},
    "cut once": {"edgeprune.methods.loop.MAX_PRUNING_STEPS": 1},
}
"""What is left out, or done otherwise → what `--set` says."""


def format_ablations(rows: Sequence[Row]) -> str:
    """A line per model and budget: the metric of the int8 file with all parts, and without each."""
    entries = gather(rows)
    runs = list(dict.fromkeys((entry.run.model, entry.run.epochs, entry.run.budget) for entry in entries))
    lines = [
        [run[0], str(run[1]), run[2].replace(":", " "), *(_find(entries, run, part) for part in PARTS)]
        for run in runs
    ]
    return f"{table(['model', 'epochs', 'budget', *PARTS], lines)}\n\n{describe(rows)}"


def _find(entries: Sequence[Entry], run: tuple[str, int, str], part: str) -> str:
    for entry in entries:
        key = (entry.run.model, entry.run.epochs, entry.run.budget)
        if key == run and dict(entry.run.options) == PARTS[part]:
            seeds = "" if len(entry.done) == 3 else f" ({len(entry.done)})"
            return format_metric(entry.value, metric=entry.metric, spread=entry.spread) + seeds
    return ""
