"""What became of a file for a phone whose zeros may be left out, in records and in JSON."""

from dataclasses import dataclass
from typing import Any

from edgeprune.runtimes.timing import Timing
from edgeprune.tflite.sparse_pattern import Explained


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseTensor:
    """Weights, and how they are stored.

    Attributes:
        tensor: its index in the main subgraph.
        name: its name, "" in a stripped file.
        ops: the ops that read it, for example "CONV_2D 3".
        sparsity: fraction of its elements that are zero; None where it was not looked at.
        before_bytes: its size as it is.
        after_bytes: its size without zeros; None where it cannot be stored so.
        encoded: whether it is.
        reason: why not, as a clause; "" where it is.
    """

    tensor: int
    name: str
    ops: tuple[str, ...]
    sparsity: float | None
    before_bytes: int
    after_bytes: int | None
    encoded: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseChoice:
    """The file to ship: stored without its zeros, or as it was.

    Attributes:
        tflite: its bytes.
        encoded: whether it is stored without its zeros.
        tensors: weights of convolutions and FULLY_CONNECTED.
        pattern: what XNNPACK makes of the graph.
        dense_bytes: size of the file as it was.
        sparse_bytes: size without its zeros; None where that was not made.
        dense, sparse: times on this machine, measured in turn; None where that was not made.
        unavailable: why `sparse` says nothing about sparse kernels, as a clause; "" where it does.
        sentences: what was decided, and why.
    """

    tflite: bytes
    encoded: bool = False
    tensors: tuple[SparseTensor, ...]
    pattern: Explained
    dense_bytes: int
    sparse_bytes: int | None = None
    dense: Timing | None = None
    sparse: Timing | None = None
    unavailable: str = ""
    sentences: tuple[str, ...]

    def describe(self) -> list[str]:
        """What was decided, and why, in sentences."""
        return list(self.sentences)

    def to_json(self) -> dict[str, Any]:
        """The choice as a JSON object, without the bytes."""
        return {
            "encoded": sum(row.encoded for row in self.tensors),
            "tensors": [_to_json(row) for row in self.tensors],
            "pattern": _to_json(self.pattern),
            "dense_bytes": self.dense_bytes,
            "sparse_bytes": self.sparse_bytes,
            "dense": self.dense and _to_json(self.dense),
            "sparse": self.sparse and _to_json(self.sparse),
            "unavailable": self.unavailable,
            "sentences": list(self.sentences),
        }


def _to_json(record: Any) -> dict[str, Any]:
    """A plain record as a JSON object."""
    values = {name: getattr(record, name) for name in record.__slots__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
