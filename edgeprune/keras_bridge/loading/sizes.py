"""Sizes that a model's config says, held against the file: memory goes to what is there, not to claims."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import keras

from edgeprune.errors import ModelError

MORE_THAN_STORED = 10
"""Weights may take so many times the bytes of their file: one that was compressed again is smaller."""
FREE_BYTES = 64 * 2**20
"""Which any file may ask for."""
LARGEST_ELEMENTS = 1 << 28
"""Of one tensor, for one sample: 1 GiB of floats, more than any device that edgeprune knows has."""

_SMALLEST_WEIGHT_BYTES = 2
_LARGEST_SIZE = (1 << 31) - 1
_SIZES = frozenset(
    {
        *("batch_input_shape", "batch_shape", "target_shape", "size", "units", "filters", "depth_multiplier"),
        *("kernel_size", "pool_size", "strides", "dilation_rate", "padding", "cropping", "output_padding"),
        *("input_dim", "output_dim", "input_length", "n", "groups", "num_heads", "key_dim", "value_dim"),
    }
)


def refuse_sizes(config: Any, *, where: str) -> None:
    """Raises ModelError for a size in a model's config that no 32-bit number can hold.

    Args:
        config: as JSON gives it.
        where: the file, for messages.
    """
    pending = [config]
    while pending:
        part = pending.pop()
        if not isinstance(part, dict):
            pending += part if isinstance(part, list) else []
            continue
        for key in _SIZES & part.keys():
            wrong = [size for size in keras.tree.flatten(part[key]) if _is_huge(size)]
            if wrong:
                raise ModelError(
                    f"the layer '{part.get('name', '')}' has the {key} {wrong[0]:g}",
                    where=where,
                    why=f"sizes go up to {_LARGEST_SIZE}",
                    fix="save the model again",
                )
        pending += part.values()


def _is_huge(size: Any) -> bool:
    # The comparison is false for NaN, too.
    return isinstance(size, int | float) and not abs(size) <= _LARGEST_SIZE


@contextmanager
def bounded_weights(stored_bytes: int, *, where: str) -> Iterator[None]:
    """While the block builds layers, none of them may make more weights than their file can hold.

    Args:
        stored_bytes: size of the file with the weights.
        where: the file, for messages.

    Raises:
        ModelError: they ask for more.
    """
    plain = keras.Layer.add_weight
    allowed = MORE_THAN_STORED * stored_bytes + FREE_BYTES
    asked = 0
    problem: ModelError | None = None

    def add_weight(layer: keras.Layer, shape: Any = None, *arguments: Any, **options: Any) -> Any:
        nonlocal asked, problem
        sizes = (shape,) if isinstance(shape, int) else tuple(shape or ())
        if all(isinstance(size, int) for size in sizes):
            asked += _SMALLEST_WEIGHT_BYTES * prod(sizes)
        if asked > allowed:
            problem = ModelError(
                f"the layer '{layer.name}' asks for a weight of the shape {sizes}",
                where=where,
                why=f"the file has {stored_bytes} bytes for all weights",
                fix="save the model again",
            )
            raise problem
        return plain(layer, shape, *arguments, **options)

    keras.Layer.add_weight = add_weight
    try:
        yield
    except ModelError as error:  # Keras may have made another of it
        if problem is None or error is problem:
            raise
        raise problem from error
    finally:
        keras.Layer.add_weight = plain


def measure_stored(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def refuse_huge(model: keras.Model, *, where: str) -> None:
    """Raises ModelError where a tensor of the model is larger than any memory it could lie in.

    Args:
        model: with a graph of layers.
        where: the file, for messages.
    """
    for operation in _list_operations(model):
        for tensor in keras.tree.flatten(getattr(operation, "output", None)):
            shape = getattr(tensor, "shape", None) or ()
            sizes = [size for size in shape[1:] if size is not None]
            if prod(sizes) > LARGEST_ELEMENTS:
                raise ModelError(
                    f"the layer '{operation.name}' makes a tensor of the shape {tuple(shape)}",
                    where=where,
                    why=f"more than {LARGEST_ELEMENTS} values for one sample",
                    fix="check the sizes in the model's config",
                )


def _list_operations(model: keras.Model) -> Iterator[Any]:
    """All layers, those of models inside it too, and the functions between them."""
    for layer in model._flatten_layers():
        yield layer
        yield from getattr(layer, "_operations", ())
