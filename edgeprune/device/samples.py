"""Measured models as a latency law sees them: instructions by kind of op, bytes of weights, ops."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeprune.device.instructions import InstructionTable, instructions_of
from edgeprune.device.latency import LatencyModel, pace_of, slowdown_of, weight_bytes
from edgeprune.graph.opshape import OpShape


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One measured model.

    Attributes:
        model: its name.
        architecture: what it is a variant of; samples of one architecture are held out together.
        instructions: by kind of op, as in `latency.PACES`; or multiply-accumulates as "macs".
        weight_bytes: of all ops.
        ops: how many there are.
        cycles: what was measured.
    """

    model: str
    architecture: str
    instructions: Mapping[str, float]
    weight_bytes: float
    ops: int
    cycles: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """Fitted constants, as in `LatencyModel`."""

    cycles_per_instruction: float
    cycles_by_kind: Mapping[str, float]
    cycles_per_weight_byte: float
    cycles_per_op: float

    def estimate(self, sample: Sample) -> float:
        """Cycles of a model."""
        paced = sum(
            count * self.cycles_by_kind.get(kind, self.cycles_per_instruction)
            for kind, count in sample.instructions.items()
        )
        return paced + sample.weight_bytes * self.cycles_per_weight_byte + sample.ops * self.cycles_per_op

    def times(self, factor: float) -> "Law":
        """The law of a device that takes so many times as long."""
        return Law(
            cycles_per_instruction=self.cycles_per_instruction * factor,
            cycles_by_kind={kind: pace * factor for kind, pace in self.cycles_by_kind.items()},
            cycles_per_weight_byte=self.cycles_per_weight_byte * factor,
            cycles_per_op=self.cycles_per_op * factor,
        )


def describe_sample(
    ops: Sequence[OpShape],
    table: InstructionTable,
    *,
    cycles: float,
    model: str,
    architecture: str = "",
    law: LatencyModel | None = None,
) -> Sample:
    """What the fit needs to know of a model with these ops that took so many cycles.

    Under a law whose weights lie beyond a cache, ops that do not fit it count as many times as they take.
    """
    counted: dict[str, float] = defaultdict(float)
    for op in ops:
        times = 1.0 if law is None else slowdown_of(op, law, table)
        counted[pace_of(op)] += times * instructions_of(op, table)
    return Sample(
        model=model,
        architecture=architecture or model,
        instructions=dict(counted),
        weight_bytes=float(sum(weight_bytes(op) for op in ops)),
        ops=len(ops),
        cycles=cycles,
    )


def count_architectures(samples: Sequence[Sample]) -> int:
    """How many different models there are."""
    return len({sample.architecture for sample in samples})
