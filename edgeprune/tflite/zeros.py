"""Zeros in a `.tflite` file: whether those that were made in a Keras model arrived."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeprune.errors import InfeasibleError, ModelError
from edgeprune.tflite.model import BITS, Model, Tensor, constant_values

Zeros = npt.NDArray[np.bool_]
MAX_PARTS = 64
"""Into how many tensors a kernel's rows may be divided at most: gates of recurrent layers, groups."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """What became of one kernel's zeros.

    Attributes:
        kernel: its name in the Keras model.
        tensors: the constants it became, by name or as "tensor 12"; none if it cannot be told apart there.
        weights: number of weights in the kernel.
        masked: how many of them were made zero.
        zeros: how many of those are zero in the file.
    """

    kernel: str
    tensors: tuple[str, ...]
    weights: int
    masked: int
    zeros: int


def require_zeros(model: Model, made: Mapping[str, Zeros]) -> tuple[Arrived, ...]:
    """Where every zero that was made is in the file.

    A zero of a quantized tensor is its zero point. Constants are recognised by their shape and by where their
    zeros are, because a stripped file keeps no names; layouts of convolutions, matrices and gates are tried.

    Args:
        model: a file that is read, not compressed.
        made: name of a kernel → (outputs, weights per output), True where it was made zero.

    Raises:
        InfeasibleError: fewer zeros arrived than were made; it names the tensor.
    """
    by_shape: dict[tuple[int, ...], list[tuple[Tensor, Zeros]]] = {}
    stored = 0
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.is_constant and tensor.elements and tensor.dtype in BITS and not tensor.is_sparse:
                zeros = find_zeros(tensor)
                stored += np.count_nonzero(zeros)
                for layout in _lay_out(zeros):
                    by_shape.setdefault(layout.shape, []).append((tensor, layout))
    arrived = tuple(_locate(name, zeros, by_shape) for name, zeros in made.items() if zeros.any())
    for item in arrived:
        if item.tensors and item.zeros < item.masked:
            raise InfeasibleError(
                f"{item.masked - item.zeros} of {item.masked} zeros of '{item.kernel}' did not arrive",
                where=f"{model.where}, {', '.join(item.tensors)}",
                why="conversion or quantization moved them",
                fix="keep this layer dense (--keep), and please report the model's architecture",
            )
    unknown = [item.kernel for item in arrived if not item.tensors]
    if unknown and stored < (masked := sum(item.masked for item in arrived)):
        raise InfeasibleError(
            f"the file holds {stored} zeros, and {masked} were made",
            where=f"{model.where}, the tensors of {', '.join(unknown)}",
            why="conversion merged these kernels with others, or quantization moved their zeros",
            fix="keep these layers dense (--keep)",
        )
    return arrived


def find_zeros(tensor: Tensor) -> Zeros:
    """Which elements of a constant are zero, in its shape. Raises ModelError as `constant_values` does."""
    values = constant_values(tensor)
    points = np.unique(tensor.zero_points)
    if points.size > 1:
        if not 0 <= tensor.axis < values.ndim or values.shape[tensor.axis] != tensor.zero_points.size:
            raise ModelError(
                f"has {tensor.zero_points.size} zero points along axis {tensor.axis} of {tensor.shape}",
                where=f"tensor {tensor.index}",
            )
        points = tensor.zero_points
        shape = [1] * values.ndim
        shape[tensor.axis] = points.size
        return np.asarray(values == points.reshape(shape))
    return np.asarray(values == (points[0] if points.size else 0))


def _lay_out(zeros: Zeros) -> Iterator[Zeros]:
    """The array as (outputs, weights per output): outputs come first or last in TFLite's weights."""
    if zeros.ndim >= 2:
        yield zeros.reshape(zeros.shape[0], -1)
        yield zeros.reshape(-1, zeros.shape[-1]).T


def _locate(
    name: str, made: Zeros, by_shape: Mapping[tuple[int, ...], list[tuple[Tensor, Zeros]]]
) -> Arrived:
    """The constants that hold a kernel: whole, or its rows in equal parts."""
    rows, columns = made.shape
    best: list[tuple[Tensor, int]] = []
    for parts in (n for n in range(1, min(rows, MAX_PARTS) + 1) if rows % n == 0):
        candidates = by_shape.get((rows // parts, columns))
        if candidates:
            pieces = np.split(made, parts)
            found = [_best_match(piece, candidates) for piece in pieces]
            if not best or sum(n for _, n in found) > sum(n for _, n in best):
                best = found
    return Arrived(
        kernel=name,
        tensors=tuple(tensor.name or f"tensor {tensor.index}" for tensor, _ in best),
        weights=made.size,
        masked=int(np.count_nonzero(made)),
        zeros=sum(n for _, n in best),
    )


def _best_match(made: Zeros, candidates: list[tuple[Tensor, Zeros]]) -> tuple[Tensor, int]:
    """The constant that has most of the zeros, and how many; of several the one with fewest others."""
    counted = [
        (np.count_nonzero(made & zeros), -np.count_nonzero(zeros), i)
        for i, (_, zeros) in enumerate(candidates)
    ]
    count, _, i = max(counted)
    return candidates[i][0], int(count)
