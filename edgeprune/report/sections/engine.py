"""The C engine: the arena as time by address, what each layer takes, sizes of the image."""

from collections.abc import Sequence
from typing import TypedDict

from markupsafe import Markup

from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import LEFT, WIDTH
from edgeprune.report.markup import Attributes, element, join
from edgeprune.report.section import Document, Section

_LEAST_LABEL_HEIGHT, _LETTER_WIDTH = 13.0, 6.5


class BlockPart(TypedDict):
    """A block of the arena: it lies at `offset` from step `first` to step `last`, both included."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


class EngineLayerPart(TypedDict):
    """What one op takes: `instructions` of one call, and bytes of its weights."""

    op: int
    name: str
    function: str
    instructions: int
    weight_bytes: int


class EnginePart(TypedDict):
    """Firmware of the C engine.

    `board` is the machine of qemu that counted; `steps` are the C functions of the ops in their order;
    `blocks` are the arena's. `sizes` are those of the image, None where none was built.
    """

    board: str
    arena_bytes: int
    steps: list[str]
    blocks: list[BlockPart]
    sizes: dict[str, int] | None
    layers: list[EngineLayerPart]


def _summarise_arena(report: Document) -> Document | None:
    engine: EnginePart | None = report["engine"]
    if engine is None or not engine["blocks"]:
        return None
    return {"chart": draw_arena(engine), "arena_bytes": engine["arena_bytes"]}


def _summarise_image(report: Document) -> Document | None:
    engine: EnginePart | None = report["engine"]
    if engine is None or engine["sizes"] is None:
        return None
    layers = engine["layers"]
    return {
        "board": engine["board"],
        "sizes": engine["sizes"],
        "layers": layers,
        "total": sum(layer["instructions"] for layer in layers),
        "dearest": max((layer["instructions"] for layer in layers), default=0),
        "heaviest": max((layer["weight_bytes"] for layer in layers), default=0),
    }


def draw_arena(engine: EnginePart) -> Markup:
    """Every block of the arena as a rectangle: from its first layer to its last, from its address up."""
    steps = engine["steps"]
    ticks = place_ticks(0, engine["arena_bytes"], unit="bytes", from_zero=True)
    plot = Plot(
        width=WIDTH,
        height=320.0,
        left=LEFT,
        right=12.0,
        top=10.0,
        bottom=24.0,
        across=(0.0, len(steps)),
        up=(0.0, ticks[-1]),
    )
    numbers = [str(step) for step in range(len(steps))]
    return plot.draw(
        "arena plan",
        plot.draw_rows(ticks, unit="bytes"),
        plot.draw_names(numbers, at=[step + 0.5 for step in range(len(steps))]),
        *(_draw_block(block, steps, plot) for block in engine["blocks"]),
    )


def _draw_block(block: BlockPart, steps: Sequence[str], plot: Plot) -> Markup:
    left, right = plot.x(block["first"]), plot.x(block["last"] + 1)
    top, bottom = plot.y(block["offset"] + block["bytes"]), plot.y(block["offset"])
    title = (
        f"{block['name']}: {block['bytes']} bytes at {block['offset']}, "
        f"from {steps[block['first']]} to {steps[block['last']]}"
    )
    kind = "scratch" if block["name"].startswith("scratch") else "tensor"
    box: Attributes = {
        "class": f"block {kind}",
        "x": left + 1,
        "y": top,
        "width": max(right - left - 2, 1.0),
        "height": max(bottom - top, 1.0),
    }
    rectangle = element("rect", box, element("title", {}, title))
    name = "scratch" if kind == "scratch" else block["name"]
    fits = bottom - top >= _LEAST_LABEL_HEIGHT and right - left >= _LETTER_WIDTH * len(name)
    if not fits:
        return rectangle
    middle: Attributes = {"x": (left + right) / 2, "y": (top + bottom) / 2 + 4}
    return join([rectangle, element("text", {**middle, "class": "tick middle block-name"}, name)])


ARENA = Section(reads=("engine",), summarise=_summarise_arena, template="arena.html")
IMAGE = Section(reads=("engine",), summarise=_summarise_image, template="image.html")
