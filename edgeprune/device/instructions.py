"""Instructions that one inference executes, predicted from the shapes of its ops.

`laws.py` counts what the kernel of each op does; the tables under `tables/` say what each count costs on a
core. `scripts/fit_instructions.py` writes them, from instructions counted in an emulator.

Only shapes enter, so the same law prices a layer of a pruning plan and an op of a `.tflite` file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from edgeprune.device.decoding import decode_instructions
from edgeprune.device.laws import count_features, count_other
from edgeprune.device.laws_elsewhere import Kernels
from edgeprune.device.loops import Counts
from edgeprune.errors import UnknownNameError
from edgeprune.figures import Figure, unavailable
from edgeprune.graph.opshape import OpShape

INT16_FACTOR = (0.64, 1.0, 1.68)
"""What int16x8 kernels took relative to int8 ones: lowest, assumed, highest of the published pairs on a
Cortex-M4 (median 1.03)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCost:
    """What the counts of one kind of op cost on one core.

    Attributes:
        coefficients: instructions per count, in the order of the kind's function in `laws.FEATURES`.
        rows: distinct op shapes the fit saw.
        low, high: counted over predicted instructions, 5th and 95th percentile of the fit; 1 is exact.
    """

    coefficients: Counts
    rows: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionTable:
    """The fitted laws of one core and kernel library.

    Attributes:
        core: for example "cortex-m7".
        kernels: whose laws hold.
        kinds: cost of each kind of op.
        median_error, p90_error: relative error of the total of a model whose family the fit never saw.
        source: what was counted, and how.
    """

    core: str
    kernels: Kernels = "dsp"
    kinds: Mapping[str, KindCost]
    median_error: float
    p90_error: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionEstimate:
    """Instructions of one inference.

    Attributes:
        figure: the total, with its interval.
        per_op: instructions of each op, in the order given.
        unseen: builtin names of ops whose kind the fit never saw; they are priced by the nearest kind it
            saw, or as plain elementwise code, and the interval is wider for it.
    """

    figure: Figure
    per_op: tuple[float, ...]
    unseen: tuple[str, ...]


_LIBRARIES: Mapping[Kernels, str] = {
    "dsp": "CMSIS-NN",
    "plain": "CMSIS-NN",
    "mve": "CMSIS-NN",
    "reference": "TFLM's reference kernels",
}

LEAST_INSTRUCTIONS = 150.0
"""Of any op: dispatching it alone costs this much. A law without a constant may predict less for tiny ops."""


def instructions_of(op: OpShape, table: InstructionTable) -> float:
    """Instructions one int8 op executes; never negative, and pure Python so that a solver can ask often."""
    if op.decoded:
        return max(decode_instructions(op, core=table.core), LEAST_INSTRUCTIONS)
    kind, counts = count_features(op, kernels=table.kernels)
    cost = table.kinds.get(kind) or table.kinds["other"]
    if cost is table.kinds["other"]:
        counts = count_other(op)
    return max(sum(map(float.__mul__, cost.coefficients, map(float, counts))), LEAST_INSTRUCTIONS)


def estimate_instructions(ops: Sequence[OpShape], table: InstructionTable) -> InstructionEstimate:
    """Instructions of one inference.

    The interval spans the P90 error that models of unseen families had, widened by what ops outside the
    fit, and kinds that their law describes less well, could add or save. Ops on float activations are not
    priced: the table counted int8 kernels.

    Args:
        ops: the ops in the order they run.
        table: the laws of the core.
    """
    floats = sorted({op.op for op in ops if op.dtype == "float32" and op.macs})
    if floats:
        reason = f"{', '.join(floats)} compute in float32; the table of {table.core} counted int8 kernels"
        return InstructionEstimate(
            figure=unavailable("instructions", reason), per_op=(0.0,) * len(ops), unseen=tuple(floats)
        )
    per_op, slack_low, slack_high = [], 0.0, 0.0
    unseen: dict[str, None] = {}
    for op in ops:
        count = instructions_of(op, table)
        if op.decoded:
            per_op.append(count)
            continue
        kind, _ = count_features(op, kernels=table.kernels)
        cost = table.kinds.get(kind) or table.kinds["other"]
        if cost.rows == 0:
            unseen[op.op] = None
            low, high = cost.low, cost.high
        elif op.dtype == "int16":
            low, _, high = INT16_FACTOR
        else:
            # Most kinds lie within the error of a total; of those that scatter more, the rest is added.
            low, high = min(cost.low + table.p90_error, 1.0), max(cost.high - table.p90_error, 1.0)
        slack_low += count * (1 - low)
        slack_high += count * (high - 1)
        per_op.append(count)
    total = sum(per_op)
    evidence = (
        f"laws of {_LIBRARIES[table.kernels]} on {table.core} over {len(ops)} ops; totals of unseen model "
        f"families were off by {table.median_error:.1%} (median) and {table.p90_error:.1%} (P90); "
        f"{table.source}"
    )
    if any(op.decoded for op in ops):
        evidence += "; DECODE ops at what their loops take per element (tables/decode.json)"
    if unseen:
        evidence += f"; kernels never counted, priced by the nearest kind: {', '.join(unseen)}"
    figure = Figure(
        value=float(round(total)),
        unit="",
        source="estimated",
        evidence=evidence,
        low=max(total * (1 - table.p90_error) - slack_low, 0.0),
        high=total * (1 + table.p90_error) + slack_high,
    )
    return InstructionEstimate(figure=figure, per_op=tuple(per_op), unseen=tuple(unseen))


@lru_cache(maxsize=16)
def load_instruction_table(core: str) -> InstructionTable:
    """The committed table of a core. Raises UnknownNameError for a core that has none."""
    folder = resources.files("edgeprune.device") / "tables"
    path = folder / f"instructions_{core}.json"
    if not path.is_file():
        found = (item.name for item in folder.iterdir())
        known = [n[len("instructions_") : -len(".json")] for n in found if n.startswith("instructions_")]
        raise UnknownNameError("instruction table", core, known)
    data = json.loads(path.read_text(encoding="utf-8"))
    kinds = {
        name: KindCost(
            coefficients=tuple(map(float, kind["coefficients"])),
            rows=kind["rows"],
            low=kind["low"],
            high=kind["high"],
        )
        for name, kind in data["kinds"].items()
    }
    return InstructionTable(
        core=data["core"],
        kernels=data["kernels"],
        kinds=kinds,
        median_error=data["median_error"],
        p90_error=data["p90_error"],
        source=data["source"],
    )
