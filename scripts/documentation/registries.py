"""Layers, ops and the names that options take, from the tables the program itself goes by."""

from collections.abc import Iterable
from typing import Any

from documentation.markdown import code, escape, page, table
from edgeprune.firmware.c import ops as _emitters  # noqa: F401  (importing it registers them)
from edgeprune.firmware.c.layer import EMITTERS
from edgeprune.firmware.c.resources import SETTLED
from edgeprune.graph.layers.rules import RULES
from edgeprune.keras_bridge.training.losses import LOSSES
from edgeprune.keras_bridge.training.metrics import METRICS
from edgeprune.methods.method import METHODS, PHASES
from edgeprune.prune.criteria import CRITERIA, NORMALISERS
from edgeprune.prune.schedules import SCHEDULES
from edgeprune.tflite.op_table import OPS, OpKind
from edgeprune.tflite.schemes import SCHEMES

_YES = "yes"


def write_layers() -> str:
    """The page of layer kinds."""
    intro = (
        "What happens to each kind of Keras layer. Channels of *prunable* layers can be removed; "
        "*transparent* ones hand the channels of their input on, and shrink with them; *kept* ones stay as "
        f"they are, and so do kinds that are not listed. These {len(RULES)} kinds are also what "
        "`edgeprune list layers` prints. For layers of your own see [Own layer](../howto/own_layer.md)."
    )
    rows = [
        [code(kind.removeprefix("keras.src.")), item.status, escape(item.note)]
        for kind, item in RULES.items()
    ]
    return page("Layers", intro, table(["layer", "what happens", "note"], rows))


def write_ops() -> str:
    """The page of TFLite ops, by runtime."""
    intro = (
        "Which TFLite ops each runtime has a kernel for: TFLM with the types that its kernel takes (all "
        "where none are named), the C engine, and LiteRT by versions of the op. `edgeprune list ops` prints "
        "the same of TFLM and LiteRT; `edgeprune check FILE --device ID` asks of a file of yours, types and "
        "options included."
    )
    heads = ["op", "TFLM", "C engine", "LiteRT, versions"]
    names, compiled = sorted({*OPS, *EMITTERS}), {*EMITTERS, *SETTLED}
    rows = [
        [code(name), _tell_tflm(OPS.get(name)), _YES if name in compiled else "", _tell_litert(OPS.get(name))]
        for name in names
    ]
    return page("Ops", intro, table(heads, rows))


def write_names() -> str:
    """The page of names that options and recipe keys take."""
    tables: dict[str, tuple[list[str], list[list[str]]]] = {
        "Methods": (
            ["name", "phase", "what it does"],
            [
                [code(name), phase, method.title]
                for phase in PHASES
                for name, method in METHODS.items()
                if method.phase == phase
            ],
        ),
        "Criteria": (
            ["name", "needs data", "what it ranks by"],
            [[code(n), _YES if i.needs_data else "", escape(i.summary)] for n, i in CRITERIA.items()],
        ),
        "Normalisers": _summaries(NORMALISERS.items()),
        "Schedules": _summaries(SCHEDULES.items()),
        "Schemes": (
            ["name", "needs data", "types of inputs and outputs", "what it stores"],
            [
                [code(n), _YES if i.needs_data else "", ", ".join(map(code, i.io_types)), escape(i.summary)]
                for n, i in SCHEMES.items()
            ],
        ),
        "Metrics": (
            ["name", "better", "also called", "what it is"],
            [
                [
                    code(n),
                    "higher" if i.higher_is_better else "lower",
                    ", ".join(map(code, i.aliases)),
                    escape(i.summary),
                ]
                for n, i in METRICS.items()
            ],
        ),
        "Losses": (
            ["name", "labels", "metric that goes with it", "also called"],
            [[code(n), i.labels, code(i.metric), ", ".join(map(code, i.aliases))] for n, i in LOSSES.items()],
        ),
    }
    intro = "What `edgeprune list` prints: the names that options and recipe keys take."
    blocks = [f"## {title}\n\n{table(heads, rows)}" for title, (heads, rows) in tables.items()]
    return page("Names", intro, *blocks)


def _summaries(items: Iterable[tuple[str, Any]]) -> tuple[list[str], list[list[str]]]:
    return ["name", "what it does"], [[code(name), escape(item.summary)] for name, item in items]


def _tell_tflm(kind: OpKind | None) -> str:
    if kind is None or kind.tflm_method is None:
        return ""
    return ", ".join(kind.tflm_dtypes) or _YES


def _tell_litert(kind: OpKind | None) -> str:
    if kind is None or kind.litert_versions is None:
        return ""
    first, last = kind.litert_versions
    return f"{first} to {last}" if last > first else str(first)
