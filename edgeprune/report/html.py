"""`report.html`: the report of a build as one page that needs nothing else, not even a script.

`render_html` lists the sections in the order of the page; each section is one function from the report's
document to markup, or to None where there is nothing to show.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edgeprune.report.charts import Panel, Point, draw_before_after, draw_budget_bar, draw_panel
from edgeprune.report.markup import Markup, element
from edgeprune.report.page import compose_page, draw_section, draw_table
from edgeprune.report.sections.engine import draw_engine
from edgeprune.report.sections.quantization import draw_ladder, draw_tensors
from edgeprune.units import NOTHING, format_quantity, format_ratio, format_signed, short_unit

Document = Mapping[str, Any]

_NUMBER, _AMOUNT = {"class": "number"}, {"class": "amount"}
_BUDGET_FIGURES = {"flash": "flash_bytes", "ram": "ram_bytes", "latency": "latency_ms"}
_FIGURES = (
    ("params", "parameters", ""),
    ("macs", "multiply-accumulates", ""),
    ("tflite_bytes", ".tflite file", "bytes"),
    ("flash_bytes", "flash", "bytes"),
    ("arena_bytes", "tensor arena", "bytes"),
    ("ram_bytes", "RAM", "bytes"),
    ("instructions", "instructions", ""),
    ("latency_ms", "latency", "ms"),
    ("energy_uj", "energy", "uJ"),
    ("float_accuracy", "{metric} before quantization", ""),
    ("accuracy", "{metric} of the artefact", ""),
)


def render_html(report: Document) -> str:
    """The page.

    Args:
        report: as `Report.to_json` gives it.
    """
    sections = (
        _head(report),
        _budgets(report),
        _curve(report),
        _layers(report),
        _checks(report),
        _figures(report),
        *(draw_engine(report["engine"]) if report["engine"] else ()),
        *_quantization(report),
        _frozen(report),
        _proofs(report),
        _inputs(report),
    )
    return compose_page(f"{report['model']['name']} on {report['device']['id']}", sections)


def _head(report: Document) -> Markup:
    device, model = report["device"], report["model"]
    clock = f"{device['clock_mhz']:g} MHz" if device.get("clock_mhz") else ""
    on = ", ".join(
        str(part) for part in (device["core"], clock, device["runtime"], device["kernel_library"]) if part
    )
    return element(
        "header",
        {"class": "holds" if report["verdict"] else "broken"},
        element("h1", {}, report["sentence"]),
        element("p", {"class": "soft"}, f"{model['name']} on {device['name']} ({on})"),
    )


def _budgets(report: Document) -> Markup | None:
    rows = []
    for check in report["checks"]:
        figure = _BUDGET_FIGURES.get(check["name"])
        if figure is None or check["budget"] is None or check["value"] is None:
            continue
        unit = check["unit"]
        bar = draw_budget_bar(
            value=check["value"],
            between=None if check["low"] is None else (check["low"], check["high"]),
            dense=report["dense"].get(figure),
            budget=check["budget"],
            ok=check["ok"],
        )
        value = f"{format_quantity(check['value'], unit)} of {format_quantity(check['budget'], unit)}"
        margin = format_quantity(abs(check["margin"]), unit)
        words = f"{margin} to spare" if check["margin"] >= 0 else f"{margin} too much"
        if check["verdict"] == "uncertain":
            words += ", by an uncertain estimate"
        rows.append(
            element(
                "div",
                {"class": "budget"},
                element("b", {}, check["name"]),
                bar,
                element("span", _NUMBER, value),
                element("span", {"class": "number good" if check["ok"] else "number bad"}, words),
                element("span", {}, _badge(check["source"])),
            )
        )
    if not rows:
        return None
    key = _key(
        ("k-pruned", "artefact"),
        ("k-between", "interval of the estimate"),
        ("k-dense", "dense model"),
        ("k-limit", "budget"),
    )
    return draw_section("Budgets", *rows, key)


def _curve(report: Document) -> Markup | None:
    steps = report["steps"]
    if not steps:
        return draw_section("Steps", element("p", {}, "Nothing was pruned, so there are no steps to show."))
    metric = report["task"]["metric"] if report["task"] else "accuracy"
    accuracies = [(step, step["accuracy"]) for step in steps]
    dense = next((step["accuracy"] for step in steps if step["kind"] == "dense"), None)
    panels = []
    if any(value is not None for _, value in accuracies):
        panels.append(
            Panel(
                title=f"{metric} on validation data",
                unit="",
                points=_points(accuracies, ""),
                level=dense,
                level_name="dense",
                from_zero=False,
            )
        )
    binding = _binding_budget(report)
    if binding is not None:
        costs = [(step, step["cost"].get(binding["name"])) for step in steps]
        if any(value is not None for _, value in costs):
            panels.append(
                Panel(
                    title=f"{binding['name']}, the budget that was hardest to meet",
                    unit=binding["unit"],
                    points=_points(costs, binding["unit"]),
                    level=binding["value"],
                    level_name="budget",
                    from_zero=True,
                )
            )
    labels = [str(step["step"]) for step in steps]
    drawn = [draw_panel(panel, labels=labels if panel is panels[-1] else []) for panel in panels]
    kinds = {step["kind"] for step in steps}
    names = {
        "dense": "dense",
        "dead": "dead channels removed",
        "layers": "layers removed",
        "prune": "pruned",
        "recover": "recovered",
        "rollback": "rolled back",
    }
    key = _key(*((f"k-{kind}", name) for kind, name in names.items() if kind in kinds))
    notes = [element("li", {}, f"Step {step['step']}: {step['note']}") for step in steps if step["note"]]
    return draw_section("Steps", *drawn, key, element("ul", {"class": "soft"}, *notes) if notes else "")


def _points(values: Iterable[tuple[Document, float | None]], unit: str) -> list[Point]:
    return [
        Point(
            value=value,
            kind=step["kind"],
            label=format_quantity(value, unit),
            title=f"step {step['step']} ({step['kind']}, after {step['epochs']:g} epochs): "
            f"{format_quantity(value, unit)}",
        )
        for step, value in values
    ]


def _binding_budget(report: Document) -> Document | None:
    """The budget that the dense model broke by the largest factor."""
    factors = [
        ((report["dense"].get(_BUDGET_FIGURES.get(budget["name"], "")) or 0.0) / budget["value"], i)
        for i, budget in enumerate(report["budgets"])
        if budget["value"] and budget["name"] in _BUDGET_FIGURES
    ]
    return report["budgets"][max(factors, key=lambda item: (item[0], -item[1]))[1]] if factors else None


def _layers(report: Document) -> Markup | None:
    layers = report["layers"]
    if not layers:
        return None
    cost = "instructions" if any(layer["instructions_before"] for layer in layers) else "macs"
    # Layers that the converter folds into others cost nothing and only repeat their neighbours' channels.
    shown = [layer for layer in layers if layer[f"{cost}_before"]] or layers
    left_out = len(layers) - len(shown)
    note = f"Not shown, because they cost nothing: {left_out}." if left_out else ""
    total_before = sum(layer[f"{cost}_before"] or 0 for layer in layers)
    total_after = sum(layer[f"{cost}_after"] or 0 for layer in layers)
    widest = max(layer["channels_before"] for layer in layers)
    dearest = max(layer[f"{cost}_before"] or 0 for layer in layers)
    rows = []
    for layer in shown:
        channels = (layer["channels_before"], layer["channels_after"])
        spent = (layer[f"{cost}_before"] or 0, layer[f"{cost}_after"] or 0)
        shares = (_share(spent[0], total_before), _share(spent[1], total_after))
        rows.append(
            (
                element("td", {"class": "name"}, layer["name"], element("small", {}, layer["kind"])),
                _bar_cell(channels, widest),
                element("td", _AMOUNT, _arrow(*(str(count) for count in channels))),
                _bar_cell(spent, dearest),
                element(
                    "td",
                    _AMOUNT,
                    _arrow(*(format_quantity(round(value), "") for value in spent)),
                    element("small", {}, f"share {_arrow(*shares)}"),
                ),
            )
        )
    name = "instructions" if cost == "instructions" else "multiply-accumulates"
    headings = ("layer", "channels", "", f"{name}, and share of the model", "")
    key = _key(("k-pale", "dense"), ("k-pruned", "pruned"))
    return draw_section("Layers", key, draw_table(headings, rows), element("p", {"class": "soft"}, note))


def _bar_cell(pair: tuple[float, float], top: float) -> Markup:
    return element("td", {"class": "bar"}, draw_before_after(before=pair[0], after=pair[1], top=top))


def _checks(report: Document) -> Markup:
    rows = [
        (
            element("td", {}, check["name"]),
            element("td", _NUMBER, format_quantity(check["value"], check["unit"])),
            element(
                "td",
                _NUMBER,
                ("≥ " if check["at_least"] and check["budget"] is not None else ""),
                format_quantity(check["budget"], short_unit(check["unit"])),
            ),
            element("td", _NUMBER, format_signed(check["margin"], short_unit(check["unit"]))),
            element("td", {}, _badge(check["source"])),
            element("td", {}, _verdict(check)),
            element(
                "td",
                {"class": "evidence"},
                check["evidence"],
                f"; between {_between(check, check['unit'])}" if check["low"] is not None else "",
                f"; {check['note']}" if check["note"] else "",
            ),
        )
        for check in report["checks"]
    ]
    headings = ("check", "value", "budget", "margin", "provenance", "verdict", "evidence")
    return draw_section("Checks", draw_table(headings, rows, numbers=(1, 2, 3)))


def _verdict(check: Document) -> Markup:
    if check["budget"] is None:
        return element("span", {"class": "soft"}, "no budget")
    words = {"fits": "holds", "uncertain": "uncertain: measure it"}.get(check["verdict"], "broken")
    return element("span", {"class": "good" if check["ok"] else "bad"}, words)


def _figures(report: Document) -> Markup:
    metric = report["task"]["metric"] if report["task"] else "accuracy"
    rows = []
    for figure, label, unit in _FIGURES:
        dense, pruned = report["dense"].get(figure), report["pruned"].get(figure)
        origin = report["provenance"].get("pruned", {}).get(figure)
        is_score = figure.endswith("accuracy")
        change = (
            format_signed(None if dense is None or pruned is None else pruned - dense, "")
            if is_score
            else format_ratio(pruned, dense)
        )
        rows.append(
            (
                element("td", {}, label.format(metric=metric)),
                element("td", _NUMBER, format_quantity(dense, unit)),
                element("td", _NUMBER, format_quantity(pruned, unit)),
                element("td", _NUMBER, change),
                element("td", {}, _badge(origin["source"]) if origin else ""),
                element("td", {"class": "evidence"}, origin["evidence"] if origin else ""),
            )
        )
    headings = ("figure", "dense", "pruned", "change", "provenance", "how the pruned figure was obtained")
    return draw_section("Dense and pruned", draw_table(headings, rows, numbers=(1, 2, 3)))


def _frozen(report: Document) -> Markup | None:
    rows = [
        (
            element("td", {"class": "name"}, item["layer"]),
            element("td", _NUMBER, str(item["channels"])),
            element("td", {}, item["reason"]),
        )
        for item in report["frozen"]
    ]
    if not rows:
        return None
    return draw_section("Kept unpruned", draw_table(("layer", "channels", "reason"), rows, numbers=(1,)))


def _quantization(report: Document) -> tuple[Markup | None, ...]:
    """The ladder, where it was climbed, and the errors of all activations."""
    ladder = (report["quantization"] or {}).get("ladder")
    if not ladder:
        return ()
    climbed = draw_ladder(ladder) if len(ladder["rungs"]) > 1 else None
    return climbed, draw_tensors(ladder["tensors"])


def _proofs(report: Document) -> Markup | None:
    items = []
    proofs = report["equivalence"]
    if proofs:
        worst = max(proofs, key=lambda proof: proof["error"])
        items.append(
            f"Removing channels changed nothing else: in {len(proofs)} rebuilds the compacted model differed "
            f"from the masked one by at most {worst['error']:.1e} of the output's range on "
            f"{worst['samples']} samples ({worst['tolerance']:.0e} allowed)."
        )
    agreement = report["agreement"]
    if agreement:
        items += [describe_runtime(row, agreement) for row in agreement["runtimes"]]
    sparsity = report["sparsity"]
    if sparsity:
        items += [sentence for sentence in (sparsity["why"], *sparsity["stored"]) if sentence]
        if sparsity["kernels"]:
            made = sum(kernel["masked"] for kernel in sparsity["kernels"])
            found = sum(kernel["zeros"] for kernel in sparsity["kernels"])
            items.append(f"Of {made} weights that were made zero, {found} are zero in the file.")
    quantization = report["quantization"]
    if quantization:
        items.append(
            f"Quantized to {quantization['scheme']} with {quantization['samples']} representative samples "
            f"({quantization['selection']}). {quantization['warning']}".strip()
        )
    if not items:
        return None
    return draw_section("Proofs", element("ul", {}, *(element("li", {}, item) for item in items)))


def describe_runtime(row: Document, agreement: Document) -> str:
    """One sentence on a runtime against the reference."""
    if row["unavailable"]:
        return f"{row['runtime']} was not compared: {row['unavailable']}."
    gap = (
        f"{row['max_difference_fraction']:.1e} of the range"
        if row["max_difference_steps"] is None
        else f"{row['max_difference_steps']} quantization steps"
    )
    return (
        f"{row['runtime']} against {agreement['reference']} on {row['samples']} samples: "
        f"{row['differing_elements']} of {row['elements']} outputs differ, by at most {gap}; "
        f"{row['changed_top1']} answers change. {agreement['note']}"
    ).strip()


def _inputs(report: Document) -> Markup:
    data, task = report["data"], report["task"]
    parts = [_block("Model", {"source": report["model"]["source"], "SHA-256": report["model"]["sha256"]})]
    if data:
        counts = ", ".join(f"{count} {name}" for name, count in data["counts"].items())
        ranges = {
            f"input {item['input']}": f"{item['min']:g} to {item['max']:g}, {item['dtype']}"
            for item in data["ranges"]
        }
        notes = {"note" if i == 0 else f"note {i + 1}": note for i, note in enumerate(data["notes"])}
        parts.append(_block("Data", {"source": data["source"], "samples": counts, **ranges, **notes}))
    if task:
        direction = "higher is better" if task["higher_is_better"] else "lower is better"
        entries = {"loss": task["loss"], "metric": f"{task['metric']}, {direction}", "origin": task["origin"]}
        parts.append(_block("Task", entries))
    budgets = {
        item["name"]: f"{format_quantity(item['value'], item['unit'])}, from {item['origin']}"
        for item in report["budgets"]
    }
    settings = {name: _format_setting(value) for name, value in report["settings"].items()}
    parts += [
        _block("Budgets", budgets),
        _block("Settings", {**settings, "seed": str(report["seed"])}),
        _block("Ops of the artefact", {item["op"]: str(item["count"]) for item in report["ops"]}),
        _block("Versions", {"edgeprune": report["edgeprune"], **report["versions"]}),
    ]
    return draw_section("Where it comes from", element("div", {"class": "columns"}, *parts))


def _block(title: str, entries: Mapping[str, str]) -> Markup:
    rows = [
        part
        for name, value in entries.items()
        for part in (element("dt", {}, name), element("dd", {}, value or NOTHING))
    ]
    return element("div", {}, element("h3", {}, title), element("dl", {}, *rows)) if rows else Markup("")


def _key(*entries: tuple[str, str]) -> Markup:
    return element(
        "div", {"class": "key"}, *(element("span", {"class": kind}, name) for kind, name in entries)
    )


def _badge(source: str) -> Markup:
    known = source if source in ("measured", "simulated", "estimated") else "unavailable"
    return element("span", {"class": f"badge {known}"}, source)


def _between(check: Document, unit: str) -> str:
    return f"{format_quantity(check['low'], unit)} and {format_quantity(check['high'], unit)}"


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else NOTHING


def _format_setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)
