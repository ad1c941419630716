"""Golden samples: inputs with what a runtime here makes of them, for checks elsewhere.

For microcontrollers that is TFLM with its reference kernels, for phones LiteRT.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from edgeprune.errors import DataError
from edgeprune.files import refuse_many_members, refuse_special
from edgeprune.runtimes.litert_host import LitertRun
from edgeprune.runtimes.samples import Array, group
from edgeprune.runtimes.tflm_host import TflmRun, run_tflm
from edgeprune.tflite.model import NUMPY_TYPES, Model, Tensor
from edgeprune.tflite.read import read_model

_DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError, OverflowError, SyntaxError),
    *(TokenError, zlib.error, struct.error, zipfile.BadZipFile),
    TypeError,  # that of a lone array, which is no archive of several
    MemoryError,  # that of a shape which is not true: golden samples are few
)
"""What zipfile and numpy raise for a damaged file."""

_MOST_DRAWN_BYTES = 256 << 20
RunFile = Callable[[bytes, tuple[Array, ...]], TflmRun | LitertRun]
"""Runs a file here, as `run_tflm` and `run_litert` do."""
FILE_NAME = "golden.npz"
"""Where a build keeps its golden samples, in its output directory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Golden:
    """Samples for a check on the device.

    Attributes:
        inputs: one array per input of the model, (samples, *its shape), in its own type.
        outputs: likewise of the outputs, from the runtime that made them.
        origin: where the inputs come from, as a sentence.
        labels: names of the classes in the order of the output's elements; empty where they are not known.
    """

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    origin: str
    labels: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """How many there are."""
        return len((*self.inputs, *self.outputs)[0])

    def take(self, samples: int) -> "Golden":
        """The first so many, or all if there are fewer."""
        return Golden(
            inputs=tuple(array[:samples] for array in self.inputs),
            outputs=tuple(array[:samples] for array in self.outputs),
            origin=self.origin,
            labels=self.labels,
        )


def save_golden(path: Path, golden: Golden) -> None:
    """Writes `input_<n>`, `output_<n>`, `origin` and `labels`; equal samples give equal bytes."""
    arrays = {f"input_{index}": array for index, array in enumerate(golden.inputs)}
    arrays |= {f"output_{index}": array for index, array in enumerate(golden.outputs)}
    np.savez_compressed(path, origin=golden.origin, labels=np.array(golden.labels, np.str_), **arrays)


def load_golden(path: Path, model: Model) -> Golden:
    """The golden samples of a build.

    Args:
        path: the file.
        model: the artefact they belong to.

    Raises:
        DataError: the file is missing or damaged, or belongs to another model.
    """
    again = "build again, where TFLM is installed, or give samples with --data"
    refuse_special(path, DataError)
    try:
        refuse_many_members(path, DataError)
        # NumPy leaves a damaged file open, so it is opened here.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            inputs = tuple(file[f"input_{index}"] for index in range(len(model.inputs)))
            outputs = tuple(file[f"output_{index}"] for index in range(len(model.outputs)))
            origin, labels = str(file["origin"]), tuple(map(str, file["labels"]))
        if not all(isinstance(array, np.ndarray) for array in (*inputs, *outputs)):
            raise ValueError("a member of the archive is no array")  # but bytes, whatever its name
    except _DAMAGE as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError("the golden samples cannot be read", where=str(path), why=why, fix=again) from error
    for tensor, array in zip((*model.inputs, *model.outputs), (*inputs, *outputs), strict=True):
        if array.shape[1:] != tensor.shape or array.dtype != np.dtype(NUMPY_TYPES[tensor.dtype]):
            raise DataError(
                "the golden samples belong to another model",
                where=str(path),
                why=f"{array.dtype}{array.shape[1:]} stands for {tensor.dtype}{tensor.shape}",
                fix=again,
            )
    return Golden(inputs=inputs, outputs=outputs, origin=origin, labels=labels)


def record_golden(
    tflite: bytes,
    inputs: tuple[Array, ...],
    *,
    samples: int,
    origin: str,
    labels: Sequence[str] = (),
    run_file: RunFile = run_tflm,
) -> Golden:
    """Samples, evenly spaced over the inputs, with what the artefact makes of them; fewer if there are fewer.

    Args:
        tflite: the artefact.
        inputs: one array per input, (samples, ...); floats are quantized as the input asks for.
        samples: how many inferences to keep, at most.
        origin: where the inputs come from, as a clause.
        labels: names of the classes; left out where the model does not have one output with as many elements.
        run_file: what gives the outputs.

    Raises:
        DataError: the inputs do not fit the artefact.
        ToolError: the runtime is not installed, or failed.
    """
    model = read_model(tflite, where="the artefact")
    invocations = group(model, inputs)
    there = len(invocations.inputs[0]) if invocations.inputs else 1
    samples = min(samples, there)
    places = np.linspace(0, there - 1, samples).round().astype(int)
    kept = tuple(array[places] for array in invocations.inputs)
    # A sample of a model with batches is a whole batch.
    fed = tuple(array.reshape(-1, *array.shape[2:]) for array in kept) if invocations.batch else kept
    run = run_file(tflite, fed)
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

    Raises:
        DataError: they would take more than 256 MiB.
    """
    refuse_many(model, samples=samples)
    generator = np.random.default_rng(seed)
    return tuple(_draw(tensor, samples=samples, generator=generator) for tensor in model.inputs)


def refuse_many(model: Model, *, samples: int) -> None:
    """Raises DataError for more samples than there is any use for: inputs of more than 256 MiB."""
    each = sum(tensor.bytes for tensor in model.inputs)
    if samples * each > _MOST_DRAWN_BYTES:
        raise DataError(
            f"{samples} samples of {each} bytes are too many to draw",
            where=model.where,
            why=f"they would take more than {_MOST_DRAWN_BYTES >> 20} MiB",
            fix=f"ask for at most {_MOST_DRAWN_BYTES // each} with --samples"
            if each <= _MOST_DRAWN_BYTES
            else "use a model with smaller inputs",
        )


def _draw(tensor: Tensor, *, samples: int, generator: np.random.Generator) -> Array:
    shape, dtype = (samples, *tensor.shape), np.dtype(NUMPY_TYPES[tensor.dtype])
    if dtype.kind == "f":
        return generator.normal(size=shape).astype(dtype)
    if dtype.itemsize > 2 or dtype.kind == "b":
        return np.zeros(shape, dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)
