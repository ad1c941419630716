"""Ops on shapes, computed while compiling: what they make of shapes that are fixed is a constant."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.tflite.model import NUMPY_TYPES, Model, Op, Tensor, constant_values

_INTEGERS = ("int32", "int64")
_MOST_NUMBERS = 64
"""That a tensor of sizes, places or margins holds."""


def fold_shapes(model: Model) -> Model:
    """The model without SHAPE, and without ops that compute small integers from shapes and constants.

        SHAPE ─ STRIDED_SLICE ─ PACK ─ RESHAPE     becomes     RESHAPE

    What such ops made is stored as constants. An op that does not give what its output says is left alone.
    """
    graph = model.subgraphs[0]
    tensors = list(model.tensors)
    kept: list[Op] = []
    for op in graph.ops:
        made = _compute(op, tensors, where=model.where)
        if made is None:
            kept.append(op)
        else:
            output = tensors[op.outputs[0]]
            stored = np.ascontiguousarray(made, NUMPY_TYPES[output.dtype]).reshape(-1).view(np.uint8)
            tensors[output.index] = replace(output, data=stored)
    if len(kept) == len(graph.ops):
        return model
    folded = replace(graph, tensors=tuple(tensors), ops=tuple(kept))
    return replace(model, subgraphs=(folded, *model.subgraphs[1:]))


def _compute(op: Op, tensors: list[Tensor], *, where: str) -> NDArray[Any] | None:
    """What the op makes; None where that depends on inputs of the model, or is no small integers."""
    if len(op.outputs) != 1 or not op.inputs or min(op.inputs) < 0:
        return None
    output = tensors[op.outputs[0]]
    inputs = [tensors[at] for at in op.inputs]
    if output.dtype not in _INTEGERS or output.elements > _MOST_NUMBERS:
        return None
    if op.name == "SHAPE":
        made = np.array(inputs[0].shape, np.int64)
    elif op.name in _FUNCTIONS and all(_is_known(tensor) for tensor in inputs):
        values = [constant_values(tensor, where=where).astype(np.int64) for tensor in inputs]
        try:
            made = np.asarray(_FUNCTIONS[op.name](op.options, *values))
        except (ValueError, IndexError, KeyError):
            return None
    else:
        return None
    fits = made.size == output.elements and np.array_equal(made, made.astype(NUMPY_TYPES[output.dtype]))
    return made if fits else None


def _is_known(tensor: Tensor) -> bool:
    return (
        tensor.is_constant
        and not tensor.is_sparse
        and tensor.dtype in _INTEGERS
        and tensor.elements <= _MOST_NUMBERS
    )


def _strided_slice(
    options: Mapping[str, Any],
    values: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    step: NDArray[np.int64],
) -> NDArray[np.int64]:
    if options["ellipsis_mask"] or options["new_axis_mask"] or options.get("offset"):
        raise ValueError("not computed here")
    places: list[int | slice] = []
    for axis, (first, last, by) in enumerate(zip(begin, end, step, strict=True)):
        bit = 1 << axis
        if options["shrink_axis_mask"] & bit:
            places.append(int(first))
        else:
            places.append(
                slice(
                    None if options["begin_mask"] & bit else int(first),
                    None if options["end_mask"] & bit else int(last),
                    int(by),
                )
            )
    return np.asarray(values[tuple(places)])


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "STRIDED_SLICE": _strided_slice,
    "PACK": lambda options, *values: np.stack(values, axis=options["axis"]),
    "CONCATENATION": lambda options, *values: np.concatenate(values, axis=options["axis"]),
    "GATHER": lambda options, values, places: np.take(values, places, axis=options["axis"]),
    "CAST": lambda options, values: values,
    "RESHAPE": lambda options, values, *shape: values,
    "SQUEEZE": lambda options, values: values,
    "EXPAND_DIMS": lambda options, values, axis: values,
    "ADD": lambda options, left, right: left + right,
    "SUB": lambda options, left, right: left - right,
    "MUL": lambda options, left, right: left * right,
    "MAXIMUM": lambda options, left, right: np.maximum(left, right),
    "MINIMUM": lambda options, left, right: np.minimum(left, right),
}
"""Name of an op → what makes its output of its options and inputs."""
