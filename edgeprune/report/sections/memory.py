"""The memory plan: what lies where in the arena while each op runs, whoever planned it."""

from collections.abc import Sequence
from typing import TypedDict

from markupsafe import Markup

from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH, draw_both
from edgeprune.report.markup import Attributes, element
from edgeprune.report.section import Document, Section

_LEAST_LABEL_HEIGHT, _LETTER_WIDTH = 13.0, 6.5
INPUTS = "inputs"
"""The step before the first op, where a runtime has one: the application writes the model's inputs."""
_ENGINE_PLANNER = "the C engine, when its sources were written"


class BlockPart(TypedDict):
    """A block of the arena: it lies at `offset` from step `first` to step `last`, both included."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


class MemoryPart(TypedDict):
    """The plan of a runtime's arena.

    `planner` says who planned it, as the object of "planned by"; `steps` are names of the ops in their order,
    and `total_bytes` is what the plan takes.
    """

    planner: str
    total_bytes: int
    steps: list[str]
    blocks: list[BlockPart]


def _summarise(report: Document) -> Document | None:
    plan = report["memory"] or _plan_of_engine(report)
    if plan is None or not plan["blocks"]:
        return None
    return {
        "chart": draw_both(lambda width: draw_plan(plan, width=width)),
        "plan": plan,
        "is_engine": report["engine"] is not None,
    }


def _plan_of_engine(report: Document) -> MemoryPart | None:
    engine = report["engine"]
    if engine is None:
        return None
    return {
        "planner": _ENGINE_PLANNER,
        "total_bytes": engine["arena_bytes"],
        "steps": engine["steps"],
        "blocks": engine["blocks"],
    }


def draw_plan(plan: MemoryPart, *, width: float = WIDTH) -> Markup:
    """Every block as a rectangle: from its first op to its last, from its address up."""
    steps = plan["steps"]
    ticks = place_ticks(0, plan["total_bytes"], unit="bytes", from_zero=True)
    plot = Plot(
        width=width,
        height=320.0,
        left=LEFT,
        right=12.0,
        top=10.0,
        bottom=24.0,
        across=(0.0, len(steps)),
        up=(0.0, ticks[-1]),
    )
    labels: list[tuple[float, float, str]] = []
    for block in plan["blocks"]:
        _place_label(block, plot, labels)
    return plot.draw(
        "memory plan of the arena",
        plot.draw_rows(ticks, unit="bytes"),
        plot.draw_names(_number(steps), at=[step + 0.5 for step in range(len(steps))]),
        *(_draw_block(block, steps, plot) for block in plan["blocks"]),
        *(
            element("text", {"x": x, "y": y + 4, "class": "tick middle block-name"}, text)
            for x, y, text in labels
        ),
    )


def _number(steps: Sequence[str]) -> list[str]:
    """Numbers of the ops; where inputs are there before the first, that step has a name."""
    if steps[0] != INPUTS:
        return [str(step) for step in range(len(steps))]
    return ["in", *(str(step) for step in range(len(steps) - 1))]


def _draw_block(block: BlockPart, steps: Sequence[str], plot: Plot) -> Markup:
    left, right = plot.x(block["first"]), plot.x(block["last"] + 1)
    top, bottom = plot.y(block["offset"] + block["bytes"]), plot.y(block["offset"])
    title = (
        f"{block['name']}: {block['bytes']} bytes at {block['offset']}, "
        f"from {steps[block['first']]} to {steps[block['last']]}"
    )
    box: Attributes = {
        "class": f"block {_kind_of(block)}",
        "x": left + 1,
        "y": top,
        "width": max(right - left - 2, 1.0),
        "height": max(bottom - top, 1.0),
    }
    return element("rect", box, element("title", {}, title))


def _kind_of(block: BlockPart) -> str:
    return "scratch" if block["name"].startswith("scratch") else "tensor"


def _place_label(block: BlockPart, plot: Plot, labels: list[tuple[float, float, str]]) -> None:
    """Adds where the block's name stands, if it fits and meets no other: blocks may overlap."""
    left, right = plot.x(block["first"]), plot.x(block["last"] + 1)
    top, bottom = plot.y(block["offset"] + block["bytes"]), plot.y(block["offset"])
    text = "scratch" if _kind_of(block) == "scratch" else block["name"]
    width = _LETTER_WIDTH * len(text)
    if bottom - top < _LEAST_LABEL_HEIGHT or right - left < width:
        return
    x, y = (left + right) / 2, (top + bottom) / 2
    meets = any(
        abs(x - other) < (width + _LETTER_WIDTH * len(name)) / 2 and abs(y - height) < _LEAST_LABEL_HEIGHT
        for other, height, name in labels
    )
    if not meets:
        labels.append((x, y, text))


MEMORY = Section(reads=("memory", "engine"), summarise=_summarise, template="memory.html")
