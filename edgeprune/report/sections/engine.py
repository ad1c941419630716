"""The C engine: what each layer takes, and sizes of the image. Its arena is drawn by `memory`."""

from typing import TypedDict

from edgeprune.report.section import Document, Section
from edgeprune.report.sections.memory import BlockPart


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


def _summarise(report: Document) -> Document | None:
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


IMAGE = Section(reads=("engine",), summarise=_summarise, template="image.html")
