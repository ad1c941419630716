"""Whether a model can be traced and converted: it needs a graph, and inputs of a fixed shape."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.model.calling import remake
from edgeprune.keras_bridge.model.inference_form import compile_alike
from edgeprune.keras_bridge.model.weights import assign_weights, clone

OpenShape = tuple[int | None, ...]

_ASSUMED: WeakKeyDictionary[keras.Model, tuple[OpenShape, ...]] = WeakKeyDictionary()
"""Model with assumed shapes → the shapes of its inputs before."""
IMAGE_SIZE = 224
"""What `assume_image` takes for an open height and width, as keras.applications do."""


def check_graph(model: keras.Model, *, where: str) -> None:
    """Raises ModelError for a model without a graph of layers."""
    if not isinstance(model, keras.Sequential) and not _has_graph(model):
        raise ModelError(
            f"the model is subclassed ('{type(model).__name__}')",
            where=where,
            why="its layers are called from Python code that a file does not hold",
            fix="build it as keras.Model(inputs, outputs) from Keras layers and save that",
        )
    if not model.built or not _has_graph(model):
        raise ModelError(
            "the model was saved before it was built, so its shapes are unknown",
            where=where,
            fix="start it with keras.Input(shape=...) or call it once on data, and save it again",
        )


def check_shapes(model: keras.Model, *, where: str) -> None:
    """Raises ModelError for an input of which a dimension other than the batch is open."""
    for tensor in model.inputs:
        if str(tensor.dtype) == "string":
            raise ModelError(
                f"input '{tensor.name}' takes text",
                where=where,
                why="a layer such as TextVectorization or StringLookup reads it, and no .tflite runtime of a "
                "device takes strings",
                fix="let the application turn text into integer tokens, and save the model from there on: "
                "keras.Model(tokens, outputs)",
            )
        if any(size is None for size in tensor.shape[1:]):
            example = ",".join("96" if size is None else str(size) for size in tensor.shape[1:])
            raise ModelError(
                f"input '{tensor.name}' has the shape {_describe(tensor.shape)}, which is not fixed",
                where=where,
                why="a device needs every dimension but the batch",
                fix=f"say it with --input-shape, for example --input-shape {example}",
            )


def assume_image(model: keras.Model) -> tuple[tuple[int, ...], ...]:
    """The shapes of the inputs with 224 × 224 for an open height and width; () if there is none."""
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    assumed = [
        (IMAGE_SIZE, IMAGE_SIZE, shape[2]) if len(shape) == 3 and shape[:2] == (None, None) else shape
        for shape in shapes
    ]
    return () if assumed == shapes or any(None in shape for shape in assumed) else tuple(assumed)


def fix_input_shapes(model: keras.Model, shapes: Sequence[tuple[int, ...]], *, where: str) -> keras.Model:
    """A model of the same weights, compiled alike, whose inputs have these shapes.

    Args:
        model: Functional or Sequential.
        shapes: one per input, batch left out.
        where: the file, for messages.

    Raises:
        ModelError: their number differs, or one contradicts the input or a layer.
    """
    if len(shapes) != len(model.inputs):
        raise ModelError(
            f"has {len(model.inputs)} inputs, and --input-shape was given {len(shapes)} times",
            where=where,
            fix=f"give one per input, in this order: {', '.join(t.name for t in model.inputs)}",
        )
    for tensor, shape in zip(model.inputs, shapes, strict=True):
        sizes = tensor.shape[1:]
        if len(sizes) != len(shape) or any(a not in (None, b) for a, b in zip(sizes, shape, strict=True)):
            raise ModelError(
                f"input '{tensor.name}' has the shape {_describe(tensor.shape)}, "
                f"which {_describe((None, *shape))} contradicts",
                where=where,
                fix="give the open dimensions, and repeat those that are fixed",
            )
    return _with_shapes(model, shapes, where=where)


def reopen_inputs(model: keras.Model, *, like: keras.Model, where: str) -> keras.Model:
    """The model with height and width as open as they were in a model before `assume_image` was asked.

    Args:
        model: made of `like`, with the same inputs.
        like: what `settle_shapes` gave.
        where: the file, for messages.
    """
    shapes = _ASSUMED.get(like)
    return model if shapes is None else _with_shapes(model, shapes, where=where)


def fix_assumed(model: keras.Model, *, where: str) -> keras.Model:
    """The model with 224 × 224 for an open height and width, which `reopen_inputs` takes back."""
    assumed = assume_image(model)
    if not assumed:
        return model
    fixed = fix_input_shapes(model, assumed, where=where)
    _ASSUMED[fixed] = tuple(tuple(tensor.shape[1:]) for tensor in model.inputs)
    return fixed


def _with_shapes(model: keras.Model, shapes: Sequence[OpenShape], *, where: str) -> keras.Model:
    inputs = [
        keras.Input(shape, dtype=tensor.dtype, name=tensor.name)
        for tensor, shape in zip(model.inputs, shapes, strict=True)
    ]

    def make(operation: Any) -> Any:
        return remake(operation, operation.get_config()) if isinstance(operation, keras.Layer) else operation

    try:
        fixed = clone(
            model, input_tensors=keras.tree.pack_sequence_as(model.input, inputs), clone_function=make
        )
    except (TypeError, ValueError) as error:
        raise ModelError(
            "a layer cannot take the shape of --input-shape",
            where=where,
            why=" ".join(str(error).split())[:200],
        ) from error
    assign_weights(fixed, model.get_weights())
    compile_alike(model, fixed)
    return fixed


def _has_graph(model: keras.Model) -> bool:
    # An unbuilt Sequential raises AttributeError here, a subclassed model holds None.
    return bool(getattr(model, "inputs", None)) and bool(getattr(model, "outputs", None))


def _describe(shape: Any) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"
