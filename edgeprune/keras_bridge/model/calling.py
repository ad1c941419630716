"""Calling models and operations with a flat list of inputs, whatever structure they want them in."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.saving.serialization_lib import SafeModeScope

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Node, Read


def call(model: keras.Model, inputs: Sequence[Any], *, training: bool) -> list[Any]:
    """The model's outputs as a flat list.

    Args:
        model: Functional or Sequential.
        inputs: one tensor per model input, in the order of `model.inputs`.
        training: as Keras has it.

    Raises:
        ModelError: the code of a Lambda names what is not in its file.
    """
    functional = model._functional if isinstance(model, keras.Sequential) else model
    structure = getattr(functional, "_inputs_struct", None)
    packed = keras.tree.pack_sequence_as(structure, list(inputs)) if structure is not None else inputs[0]
    try:
        return list(keras.tree.flatten(model(packed, training=training)))
    except NameError as error:
        raise ModelError(
            "the code of a layer uses a name that its file does not hold",
            where=model.name,
            why=" ".join(str(error).partition("calling ")[2].split())[:160] or str(error),
            fix="import it inside the function, or make a layer class of it and pass that with --custom",
        ) from error


@contextmanager
def replaced_call(operation: Any, call: Callable[..., Any]) -> Iterator[None]:
    """While the block runs, the operation computes what `call` does; afterwards it is as it was before."""
    before = vars(operation).get("call")
    operation.call = call
    try:
        yield
    finally:
        if before is None:
            del operation.call
        else:
            operation.call = before


def remake(operation: Any, config: dict[str, Any]) -> Any:
    """A new layer or operation of the same class; a config that is in memory is not refused as unsafe."""
    with SafeModeScope(safe_mode=False):
        return operation.__class__.from_config(config)


def call_operation(operation: Any, node: Node, inputs: Sequence[Any]) -> Any:
    """What a layer or operation gives when it is called as a node of the graph says.

    Args:
        operation: the layer, or the operation of `keras.ops`.
        node: the call; its arguments say where the inputs go, and hold everything else.
        inputs: one tensor per input of the node.
    """

    def fill(value: Any) -> Any:
        return inputs[value.index] if isinstance(value, Read) else value

    # Keras hands masks on itself, and takes none that it is told a second time.
    said = {name: value for name, value in node.arguments.items() if name != "mask" or value is not None}
    signature = inspect.signature(operation.call)
    bound = signature.bind_partial()
    bound.arguments.update(keras.tree.map_structure(fill, said))
    named = {
        name: bound.arguments.pop(name)
        for name, value in said.items()
        if signature.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        and not any(isinstance(each, Read) for each in keras.tree.flatten(value))
    }  # layers take only tensors by their place
    return operation(*bound.args, **bound.kwargs, **named)
