"""One op of a file, with its tensors at hand and its place for messages."""

from dataclasses import dataclass

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Op, Subgraph, Tensor

_LONGEST_NAME = 80
FIX = "convert the model again"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedOp:
    """One op.

    Attributes:
        where: its file and subgraph, for messages.
        subgraph: the subgraph it is in.
        op: the op.
    """

    where: str
    subgraph: Subgraph
    op: Op

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Its inputs, without those that are left out."""
        return tuple(self.subgraph.tensors[index] for index in self.op.inputs if index >= 0)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Its outputs."""
        return tuple(self.subgraph.tensors[index] for index in self.op.outputs)

    def input(self, position: int) -> Tensor | None:
        """An input; None where it is left out."""
        given = position < len(self.op.inputs) and self.op.inputs[position] >= 0
        return self.subgraph.tensors[self.op.inputs[position]] if given else None

    def output(self) -> Tensor | None:
        """The first output, if there is one."""
        return self.outputs[0] if self.op.outputs else None

    def refuse(self, what: str, *, why: str = "", fix: str = FIX) -> ModelError:
        """The error of a file whose op cannot be run."""
        return ModelError(
            what, where=f"{self.where}: operator {self.op.index} {self.op.name}", why=why, fix=fix
        )


def name_tensor(tensor: Tensor) -> str:
    """The tensor for messages: its number, and its name where the file keeps one, the first of several."""
    name = tensor.name.split(";")[0][:_LONGEST_NAME]
    return f"tensor {tensor.index} '{name}'" if name else f"tensor {tensor.index}"


def has_known_shape(tensor: Tensor) -> bool:
    """Whether all its dimensions are in the file, none of them open but that of the batch."""
    return bool(tensor.shape) and -1 not in tensor.shape_signature[1:]
