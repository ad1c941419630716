"""The C engine in `report.html`: the arena as time by address, what each layer takes, sizes of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgeprune.report.charts import draw_before_after, place_ticks
from edgeprune.report.markup import Attributes, Markup, element, join
from edgeprune.report.page import draw_section, draw_table
from edgeprune.units import format_quantity

Document = Mapping[str, Any]

_WIDTH, _HEIGHT = 900.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 12.0, 10.0, 22.0
_LEAST_LABEL_HEIGHT, _LETTER_WIDTH = 13.0, 6.5
_NUMBER = {"class": "number"}


def draw_engine(engine: Document) -> tuple[Markup | None, ...]:
    """The sections: memory, and layers with the image where they were counted.

    Args:
        engine: as `EnginePart` of the report.
    """
    return draw_arena(engine), _draw_image(engine)


def draw_arena(engine: Document) -> Markup | None:
    """Every block of the arena as a rectangle: from its first layer to its last, from its address up.

    Args:
        engine: as `EnginePart` of the report.
    """
    blocks: Sequence[Document] = engine["blocks"]
    if not blocks:
        return None
    steps, total = len(engine["steps"]), engine["arena_bytes"]
    ticks = place_ticks(0, total, unit="bytes", from_zero=True)
    grid = [
        join(
            [
                element(
                    "line",
                    {
                        "class": "grid",
                        "x1": _LEFT,
                        "x2": _WIDTH - _RIGHT,
                        "y1": _y(tick, ticks),
                        "y2": _y(tick, ticks),
                    },
                ),
                element(
                    "text",
                    {"x": _LEFT - 10, "y": _y(tick, ticks) + 4, "class": "tick end"},
                    format_quantity(tick, "bytes"),
                ),
            ]
        )
        for tick in ticks
    ]
    every = max(1, -(-steps // 20))
    labels = [
        element("text", {"x": _x(now + 0.5, steps), "y": _HEIGHT - 6, "class": "tick middle"}, str(now))
        for now in range(0, steps, every)
    ]
    drawn = [_draw_block(block, engine["steps"], ticks) for block in blocks]
    figure = element(
        "figure",
        {},
        element("figcaption", {}, "address against the op that runs, from op 0 on"),
        element(
            "svg",
            {"viewBox": f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", "role": "img", "aria-label": "arena plan"},
            *grid,
            *labels,
            *drawn,
        ),
    )
    note = (
        f"{format_quantity(total, 'bytes')} in all, planned when the C sources were written. Blocks lie over "
        "one another where an output may overwrite the input it is computed from. Inputs and outputs of the "
        "model belong to the application."
    )
    return draw_section("Arena of the C engine", figure, element("p", {"class": "soft"}, note))


def _draw_block(block: Document, steps: Sequence[str], ticks: Sequence[float]) -> Markup:
    left, right = _x(block["first"], len(steps)), _x(block["last"] + 1, len(steps))
    top, bottom = _y(block["offset"] + block["bytes"], ticks), _y(block["offset"], ticks)
    title = (
        f"{block['name']}: {block['bytes']} bytes at {block['offset']}, "
        f"from {steps[block['first']]} to {steps[block['last']]}"
    )
    kind = "scratch" if block["name"].startswith("scratch") else "tensor"
    rectangle = element(
        "rect",
        {
            "class": f"block {kind}",
            "x": left + 1,
            "y": top,
            "width": max(right - left - 2, 1.0),
            "height": max(bottom - top, 1.0),
        },
        element("title", {}, title),
    )
    name = "scratch" if kind == "scratch" else block["name"]
    fits = bottom - top >= _LEAST_LABEL_HEIGHT and right - left >= _LETTER_WIDTH * len(name)
    if not fits:
        return rectangle
    middle: Attributes = {"x": (left + right) / 2, "y": (top + bottom) / 2 + 4}
    return join([rectangle, element("text", {**middle, "class": "tick middle block-name"}, name)])


def _draw_image(engine: Document) -> Markup | None:
    sizes = engine["sizes"]
    if sizes is None:
        return None
    layers: Sequence[Document] = engine["layers"]
    total = sum(layer["instructions"] for layer in layers)
    dearest = max((layer["instructions"] for layer in layers), default=0)
    heaviest = max((layer["weight_bytes"] for layer in layers), default=0)
    rows = [
        (
            element("td", {"class": "name"}, layer["function"]),
            _bar(layer["instructions"], dearest),
            element("td", _NUMBER, format_quantity(layer["instructions"], "")),
            element("td", _NUMBER, f"{layer['instructions'] / total:.2f}" if total else ""),
            _bar(layer["weight_bytes"], heaviest),
            element("td", _NUMBER, format_quantity(layer["weight_bytes"], "bytes")),
        )
        for layer in layers
    ]
    summary = (
        f"Image: {format_quantity(sizes['flash'], 'bytes')} of flash, "
        f"{format_quantity(sizes['weights'], 'bytes')} of them weights and "
        f"{format_quantity(sizes['code'], 'bytes')} code with start-up and the check; golden samples take "
        f"{format_quantity(sizes['golden'], 'bytes')} more. "
        f"Static RAM: {format_quantity(sizes['ram'], 'bytes')}. Instructions were counted in qemu "
        f"({engine['board']})."
    )
    headings = ("function", "instructions", "", "share", "weights", "")
    table = draw_table(headings, rows, numbers=(3,))
    return draw_section("Layers of the C engine", element("p", {}, summary), table)


def _bar(value: float, top: float) -> Markup:
    return element("td", {"class": "bar"}, draw_before_after(before=value, after=value, top=top))


def _x(step: float, steps: int) -> float:
    return _LEFT + step / steps * (_WIDTH - _LEFT - _RIGHT)


def _y(address: float, ticks: Sequence[float]) -> float:
    return _HEIGHT - _BOTTOM - address / ticks[-1] * (_HEIGHT - _TOP - _BOTTOM)
