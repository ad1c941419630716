"""Instructions that one inference executes, predicted from the shapes of its ops.

`kernels/counts.py` counts what the kernel of each op does; the tables under `tables/` say what each count
costs on a core. `scripts/fit_instructions.py` writes them, from instructions counted in an emulator.

Only shapes enter, so the same law prices a layer of a pruning plan and an op of a `.tflite` file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.kernels.counts import FLOAT, count_features, count_other, is_on_floats
from edgeprune.device.kernels.decoding import decode_instructions
from edgeprune.device.kernels.elsewhere import Kernels
from edgeprune.device.kernels.loops import Counts
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape

_TABLES = Path(str(resources.files("edgeprune.device"))) / "tables"
_PREFIX = "instructions_"

INT16_FACTOR = (0.64, 1.0, 1.68)
"""What int16x8 kernels took relative to int8 ones: lowest, assumed, highest of the published pairs on a
Cortex-M4 (median 1.03)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCost:
    """What the counts of one kind of op cost on one core.

    Attributes:
        coefficients: instructions per count, in the order of the kind's function in `counts.FEATURES`.
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
        median_error, p90_error: relative error of the total of a quantized model whose family the fit never
            saw.
        float_median_error, float_p90_error: the same of models on floats.
        source: what was counted, and how.
    """

    core: str
    kernels: Kernels = "dsp"
    kinds: Mapping[str, KindCost]
    median_error: float
    p90_error: float
    float_median_error: float
    float_p90_error: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionEstimate:
    """Instructions of one inference.

    Attributes:
        figure: the total, with its interval.
        per_op: instructions of each op in one inference, in the order given.
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

_ASSERTING = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_ASSERTED = (
    "floats compiled with NDEBUG, as in edgeprune's projects: with TFLM's assertions convolutions on floats "
    "took 1.2 to 2.6 times as many"
)

LEAST_INSTRUCTIONS = 150.0
"""Of any op: dispatching it alone costs this much. A law without a constant may predict less for tiny ops."""


def instructions_of(op: OpShape, table: InstructionTable) -> float:
    """Instructions one op executes; never negative, and pure Python so that a solver can ask often."""
    if op.decoded:
        return max(decode_instructions(op, core=table.core), LEAST_INSTRUCTIONS)
    cost, counts = _find_cost(op, table)
    return max(sum(map(float.__mul__, cost.coefficients, map(float, counts))), LEAST_INSTRUCTIONS)


def _find_cost(op: OpShape, table: InstructionTable) -> tuple[KindCost, Counts]:
    kind, counts = count_features(op, kernels=table.kernels)
    if kind in table.kinds:
        return table.kinds[kind], counts
    return table.kinds["other" + FLOAT if is_on_floats(op) else "other"], count_other(op)


def explain_unknown_turns(ops: Sequence[OpShape]) -> str | None:
    """Why what an inference costs cannot be known, where it runs a loop of unknown length; else None."""
    unknown = next((op for op in ops if op.turns is None), None)
    if unknown is None:
        return None
    return f"how often a loop runs that holds {unknown.op} is not in the file"


def estimate_instructions(ops: Sequence[OpShape], table: InstructionTable) -> InstructionEstimate:
    """Instructions of one inference.

    The interval spans the P90 error that models of unseen families had, widened by what ops outside the
    fit, and kinds that their law describes less well, could add or save. Convolutions and the like on floats
    are not priced where none were counted.

    Args:
        ops: the ops in the order they run.
        table: the laws of the core.
    """
    floats = [op for op in ops if is_on_floats(op)]
    uncounted = sorted({op.op for op in floats if op.macs and count_features(op)[0] not in table.kinds})
    if uncounted:
        reason = f"{', '.join(uncounted)} on float32: never counted on {table.core}"
        return InstructionEstimate(
            figure=unavailable("instructions", reason), per_op=(0.0,) * len(ops), unseen=tuple(uncounted)
        )
    if (unknown := explain_unknown_turns(ops)) is not None:
        return InstructionEstimate(
            figure=unavailable("instructions", unknown), per_op=(0.0,) * len(ops), unseen=()
        )
    per_op, less, more = [], 0.0, 0.0
    unseen: dict[str, None] = {}
    for op in ops:
        once, turns = instructions_of(op, table), op.turns or 0
        count = once * turns
        less += once * (turns - op.least_turns)
        per_op.append(count)
        p90 = table.float_p90_error if is_on_floats(op) else table.p90_error
        low, high = 1.0, 1.0
        if not op.decoded:
            cost, _ = _find_cost(op, table)
            if cost.rows == 0:
                unseen[op.op] = None
                low, high = cost.low, cost.high
            elif op.dtype == "int16":
                low, _, high = INT16_FACTOR
            else:
                # Most kinds lie within the error of a total; of those that scatter more, the rest is added.
                low, high = min(cost.low + p90, 1.0), max(cost.high - p90, 1.0)
        less += count * (p90 + 1 - low)
        more += count * (p90 + high - 1)
    total = sum(per_op)
    errors = f"{table.median_error:.1%} (median) and {table.p90_error:.1%} (P90)"
    if floats:
        errors += f", on floats {table.float_median_error:.1%} and {table.float_p90_error:.1%}"
    evidence = (
        f"fitted to {_LIBRARIES[table.kernels]}'s kernels on {table.core}, summed over {len(ops)} ops; "
        f"totals of unseen model families were off by {errors}; {table.source}"
    )
    if any(op.op in _ASSERTING for op in floats):
        evidence += f"; {_ASSERTED}"
    if any(op.decoded for op in ops):
        evidence += "; DECODE ops at what their loops take per element (tables/decode.json)"
    if unseen:
        evidence += f"; kernels never counted, priced by the nearest kind: {', '.join(unseen)}"
    figure = Figure(
        value=float(round(total)),
        unit="",
        source="estimated",
        evidence=evidence,
        low=max(total - less, 0.0),
        high=total + more,
    )
    return InstructionEstimate(figure=figure, per_op=tuple(per_op), unseen=tuple(unseen))


@lru_cache(maxsize=1)
def list_instruction_tables() -> tuple[str, ...]:
    """Cores of the instruction tables that ship."""
    return tuple(sorted(file.stem.removeprefix(_PREFIX) for file in _TABLES.glob(f"{_PREFIX}*.json")))


@lru_cache(maxsize=16)
def load_instruction_table(core: str) -> InstructionTable:
    """The committed table of a core. Raises UnknownNameError for a core that has none."""
    known = list_instruction_tables()
    if core not in known:
        raise UnknownNameError("instruction table", core, known)
    data = json.loads((_TABLES / f"{_PREFIX}{core}.json").read_text(encoding="utf-8"))
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
        float_median_error=data["float_median_error"],
        float_p90_error=data["float_p90_error"],
        source=data["source"],
    )
