"""The Markdown tables of finished runs: the mean over seeds, and how far they scatter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from benchmarks.rows import AS_GIVEN, TUNED, Row, Run

HEAD = (
    "| model | epochs | budget | method | int8 | lost | float | latency ms | flash KiB | RAM KiB | seeds | "
    "minutes |"
)
DASH = "–"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """The rows of one run with several seeds.

    Attributes:
        run: the run; its seed and commit are those of the first row.
        rows: one per seed.
    """

    run: Run
    rows: tuple[Row, ...]

    @property
    def metric(self) -> str:
        """What is counted."""
        return self.rows[0].metric

    @property
    def done(self) -> tuple[Row, ...]:
        """The rows that have a file."""
        return tuple(row for row in self.rows if row.value is not None)

    @property
    def value(self) -> float | None:
        """The mean of the int8 files' metric."""
        return fmean(row.value for row in self.done if row.value is not None) if self.done else None

    @property
    def spread(self) -> float | None:
        """Its standard deviation over the seeds; None of a single one."""
        values = [row.value for row in self.done if row.value is not None]
        return stdev(values) if len(values) > 1 else None

    @property
    def float_value(self) -> float | None:
        """The mean of the Keras models' metric."""
        values = [row.float_value for row in self.done if row.float_value is not None]
        return fmean(values) if values else None

    def figure(self, name: str) -> float | None:
        """The mean of a figure."""
        values = [value for row in self.done if (value := row.figures.get(name)) is not None]
        return fmean(values) if values else None


def gather(rows: Iterable[Row]) -> list[Entry]:
    """One entry for what differs in its seed alone; of runs at several commits the last one counts."""
    by_run: dict[str, dict[int, Row]] = {}
    for row in rows:
        key = repr(replace(row.run, seed=0, commit=""))  # options have no hash
        by_run.setdefault(key, {})[row.run.seed] = row
    sorted_rows = (tuple(by_seed[seed] for seed in sorted(by_seed)) for by_seed in by_run.values())
    return [Entry(run=rows[0].run, rows=rows) for rows in sorted_rows]


def format_tables(rows: Sequence[Row]) -> str:
    """All rows in Markdown: dense first, then by budget, the best method first."""
    entries = gather(rows)
    models = list(dict.fromkeys(entry.run.model for entry in entries))
    budgets = list(dict.fromkeys(entry.run.budget for entry in entries if entry.run.budget))
    entries.sort(key=lambda entry: _rank(entry, models, budgets))
    lines = [HEAD, "|" + "---|" * HEAD.count(" | ") + "---|"]
    lines += [format_entry(entry, reference=find_reference(entry, entries)) for entry in entries]
    return "\n".join([*lines, "", describe(rows)])


def format_entry(entry: Entry, *, reference: Entry | None) -> str:
    """One line; `reference` is the dense model that accuracy is lost against."""
    run, first = entry.run, entry.rows[0]
    minutes = fmean(row.seconds for row in entry.rows) / 60
    cells = [
        run.model,
        str(run.epochs) if run.epochs else DASH,
        run.budget.replace(":", " ") or DASH,
        run.label,
        format_metric(entry.value, metric=entry.metric, spread=entry.spread) if entry.done else first.outcome,
        format_loss(entry, reference),
        format_metric(entry.float_value, metric=entry.metric),
        _format_number(entry.figure("latency_ms")),
        _format_number(entry.figure("flash_bytes"), scale=1024),
        _format_number(entry.figure("ram_bytes"), scale=1024),
        str(len(entry.rows)),
        f"{minutes:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def find_reference(entry: Entry, entries: Sequence[Entry]) -> Entry | None:
    """The dense model fine-tuned as long, with the same settings if there is one."""
    alike = [
        other
        for other in entries
        if (other.run.model, other.run.method, other.run.epochs, other.run.device)
        == (entry.run.model, TUNED, entry.run.epochs, entry.run.device)
    ]
    same = [other for other in alike if other.run.options == entry.run.options]
    return next(iter(same or alike), None)


def format_loss(entry: Entry, reference: Entry | None) -> str:
    """How much worse than the dense model: points of a score, a factor of an error."""
    if reference is None or reference is entry or entry.value is None or reference.value is None:
        return DASH
    if not entry.rows[0].higher_is_better:
        return f"× {entry.value / reference.value:.2f}" if reference.value else DASH
    return f"{_scale(entry.metric) * (reference.value - entry.value):.2f}"


def describe(rows: Sequence[Row]) -> str:
    """Where the figures are from: commits, dates, devices."""
    commits = ", ".join(sorted({row.run.commit for row in rows}))
    dates = sorted(row.date[:10] for row in rows if row.date)
    days = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else "no date"
    devices = ", ".join(sorted({row.run.device for row in rows}))
    return (
        f"Commit {commits}; {days}; {devices}. Means over seeds ± standard deviation. *lost* is held against "
        "the dense model fine-tuned as long: points, or the factor of an error."
    )


def _rank(entry: Entry, models: Sequence[str], budgets: Sequence[str]) -> tuple[int, int, int, int, float]:
    run = entry.run
    sign = -1.0 if entry.rows[0].higher_is_better else 1.0
    value = sign * entry.value if entry.value is not None else float("inf")
    place = budgets.index(run.budget) if run.budget else -1
    return models.index(run.model), run.epochs if run.method != AS_GIVEN else 0, place, run.epochs, value


def format_metric(value: float | None, *, metric: str, spread: float | None = None) -> str:
    """A mean, and how far it scatters."""
    if value is None:
        return DASH
    scale = _scale(metric)
    digits = 2 if scale > 1 else 4
    scatter = "" if spread is None else f" ± {scale * spread:.{digits}f}"
    return f"{scale * value:.{digits}f}{scatter}" + (" %" if scale > 1 else f" {metric}")


def _scale(metric: str) -> float:
    return 100.0 if "accuracy" in metric else 1.0


def _format_number(value: float | None, *, scale: float = 1.0) -> str:
    return (
        DASH if value is None else f"{value / scale:.3g}" if value / scale < 100 else f"{value / scale:.1f}"
    )
