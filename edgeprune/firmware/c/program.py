"""A compiled model: its ops in their order, and where everything lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgeprune.firmware.c.layer import LIBRARY, Layer
from edgeprune.firmware.c.memory import Block, MemoryPlan
from edgeprune.tflite.model import Model, Op, Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Step:
    """One op of the compiled model, in the order of execution.

    Attributes:
        op: the op.
        label: name of its C function.
        layer: what its emitter made of it.
    """

    op: Op
    label: str
    layer: Layer


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Program:
    """A model, compiled and placed.

    Attributes:
        model: the model, without ops that others do on the way.
        steps: its ops.
        roots: tensor → the tensor whose memory it is, where ops only give it another name.
        homes: root → ("input" or "output", place) where it lies in the caller's memory.
        blocks, plan: the arena.
        tensor_blocks: tensor → its block.
        scratch_blocks: step → its scratch block.
        saves: instructions that layers by faster kernels save, estimated.
        starts: tensor of the state → what it begins with, where that is not what stands for 0.
    """

    model: Model
    steps: tuple[Step, ...]
    roots: Mapping[int, int]
    homes: Mapping[int, tuple[str, int]]
    blocks: tuple[Block, ...]
    plan: MemoryPlan
    tensor_blocks: Mapping[int, int]
    scratch_blocks: Mapping[int, int]
    saves: float = 0.0
    starts: Mapping[int, NDArray[Any]] = field(default_factory=dict)

    @property
    def constant_bytes(self) -> int:
        """Of `weights.c`."""
        return sum(step.layer.constant_bytes for step in self.steps)

    @property
    def static_bytes(self) -> int:
        """Of arena, state, inputs and outputs."""
        kept = (*self.state, *self.model.inputs, *self.model.outputs)
        return self.plan.total_bytes + sum(tensor.bytes for tensor in kept)

    @property
    def state(self) -> tuple[Tensor, ...]:
        """Tensors that last from one inference to the next; without any, there is no reset function."""
        return tuple(tensor for tensor in self.model.tensors if tensor.is_variable)

    @property
    def calls_library(self) -> bool:
        """Whether floats may differ in their last bits from one C library to the next."""
        return any(LIBRARY in step.layer.kernels for step in self.steps)

    def root(self, tensor: int) -> int:
        """The tensor whose memory it is."""
        return self.roots.get(tensor, tensor)
