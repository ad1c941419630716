"""Golden samples of an artefact: its outputs in TFLM's reference kernels, for a check on the device."""

from collections.abc import Sequence

import numpy as np

from edgeprune.firmware.golden import Array, Golden
from edgeprune.runtimes.samples import group
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import NUMPY_TYPES, Model, Tensor
from edgeprune.tflite.read import read_model


def record_golden(
    tflite: bytes, inputs: tuple[Array, ...], *, samples: int, origin: str, labels: Sequence[str] = ()
) -> Golden:
    """Samples, evenly spaced over the inputs, with what the artefact makes of them; fewer if there are fewer.

    Args:
        tflite: the artefact.
        inputs: one array per input, (samples, ...); floats are quantized as the input asks for.
        samples: how many inferences to keep, at most.
        origin: where the inputs come from, as a clause.
        labels: names of the classes; left out where the model does not have one output with as many elements.

    Raises:
        DataError: the inputs do not fit the artefact.
        ToolError: TFLM is not installed, or failed.
    """
    model = read_model(tflite, where="the artefact")
    invocations = group(model, inputs)
    samples = min(samples, len(invocations.inputs[0]))
    places = np.linspace(0, len(invocations.inputs[0]) - 1, samples).round().astype(int)
    kept = tuple(array[places] for array in invocations.inputs)
    # A sample of a model with batches is a whole batch.
    fed = tuple(array.reshape(-1, *array.shape[2:]) for array in kept) if invocations.batch else kept
    run = run_tflm(tflite, fed)
    outputs = [
        output.raw.reshape(samples, *tensor.shape)
        for tensor, output in zip(model.outputs, run.outputs, strict=True)
    ]
    fits = len(model.outputs) == 1 and model.outputs[0].elements == len(labels)
    return Golden(
        inputs=kept,
        outputs=tuple(outputs),
        origin=f"{origin}; expected outputs from {run.runtime}.",
        labels=tuple(labels) if fits else (),
    )


def draw_inputs(model: Model, *, samples: int, seed: int) -> tuple[Array, ...]:
    """Random inputs, one array per input, (samples, *its shape).

    8- and 16-bit integers are drawn from their whole range, floats from a normal distribution. Wider integers
    are 0, since they are usually indices.
    """
    generator = np.random.default_rng(seed)
    return tuple(_draw(tensor, samples=samples, generator=generator) for tensor in model.inputs)


def _draw(tensor: Tensor, *, samples: int, generator: np.random.Generator) -> Array:
    shape, dtype = (samples, *tensor.shape), np.dtype(NUMPY_TYPES[tensor.dtype])
    if dtype.kind == "f":
        return generator.normal(size=shape).astype(dtype)
    if dtype.itemsize > 2 or dtype.kind == "b":
        return np.zeros(shape, dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)
