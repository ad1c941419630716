"""Three hundred files: of each architecture ten, with widths, strides and activations drawn at random."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from random_pruning import random_inputs, randomise

from edgeprune.errors import DataError, ModelError, OpError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of
from tests.firmware.c.networks_images import IMAGES
from tests.firmware.c.networks_sequences import SEQUENCES

ARCHITECTURES: dict[str, Callable[[random.Random], keras.Model]] = {**IMAGES, **SEQUENCES}
FILES_EACH = 10
_KINDS = {
    "int8": ("int8", "int8"),
    "uint8": ("int8", "uint8"),
    "int16x8": ("int16x8", "int16"),
    "float32": ("none", "float32"),
}
"""Kind of file → scheme, and type of inputs and outputs."""
_TURNS = ("int8", "int16x8", "uint8", "int8", "float32")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """A converted network.

    Attributes:
        data: the `.tflite` bytes.
        inputs: one array per input, (samples, ...), as the Keras model takes them.
    """

    name: str
    data: bytes
    inputs: tuple[np.ndarray, ...]


def draw_network(architecture: str, number: int) -> Network:
    """The file of that number, the same each time. Kinds take turns; each architecture starts elsewhere."""
    place = list(ARCHITECTURES).index(architecture)
    keras.utils.clear_session()
    model = ARCHITECTURES[architecture](random.Random(f"{architecture} {number}"))
    rng = np.random.default_rng([place, number])
    randomise(model, rng)
    if number % 3 == 2:
        _thin(model, rng)
    representative = random_inputs(model, rng, samples=8)
    kinds = (_TURNS[(number + place) % len(_TURNS)], "int8", "float32")
    kind, data = next(
        (kind, data) for kind in kinds if (data := _convert(model, kind, representative)) is not None
    )
    inputs = tuple(random_inputs(model, rng, samples=6))
    return Network(name=f"{architecture} {number}, {kind}", data=data, inputs=inputs)


def _convert(model: keras.Model, kind: str, representative: list[np.ndarray]) -> bytes | None:
    """None where there is no such file.

    The converter has no 16-bit form of an op, or TFLM no 16-bit kernel; an activation that is always zero has
    an infinite scale of 16 bits, and a mask of -2e38 none of 8 bits.
    """
    scheme, io_type = _KINDS[kind]
    try:
        data = convert(model, scheme=scheme, representative=representative, io_type=io_type)
        data = in_ops_of(data, runtime="tflm")
    except (OpError, ModelError, DataError):
        return None
    return None if unsupported_ops(read_model(data, where=kind), runtime="tflm") else data


def _thin(model: keras.Model, rng: np.random.Generator) -> None:
    """Zeros, and output channels of nothing else, as in files that were pruned."""
    for variable in model.trainable_variables:
        if len(variable.shape) < 2:
            continue
        kept = (rng.random(variable.shape) < 0.4) & (rng.random(variable.shape[-1]) < 0.9)
        variable.assign(np.where(kept, np.asarray(variable), 0))
