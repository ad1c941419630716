"""Golden samples: inputs with the outputs that the reference kernels give, as C++ arrays and as a file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError
from edgeprune.firmware.tflm import one_line
from edgeprune.firmware.wrapper import C_TYPES, format_float
from edgeprune.tflite.model import NUMPY_TYPES, Model, Tensor

Array = NDArray[Any]

FILE_NAME = "golden.npz"
"""Where a build keeps its golden samples, in its output directory."""

_NUMBERS_PER_LINE = 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Golden:
    """Samples for a check on the device.

    Attributes:
        inputs: one array per input of the model, (samples, *its shape), in its own type.
        outputs: likewise of the outputs, from the reference kernels.
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
        return len(self.inputs[0])

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
    try:
        with np.load(path, allow_pickle=False) as file:
            inputs = tuple(file[f"input_{index}"] for index in range(len(model.inputs)))
            outputs = tuple(file[f"output_{index}"] for index in range(len(model.outputs)))
            origin, labels = str(file["origin"]), tuple(map(str, file["labels"]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
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


def render_golden(golden: Golden, model: Model) -> dict[str, str]:
    """Values of the templates of the golden samples and their check.

    Raises:
        DataError: an expected output is not a finite number.
    """
    ends = [("Input", i, t, golden.inputs[i]) for i, t in enumerate(model.inputs)]
    ends += [("Output", i, t, golden.outputs[i]) for i, t in enumerate(model.outputs)]
    declarations = [_declare(side, index, tensor) for side, index, tensor, _ in ends]
    definitions = [
        f"const {declared} = {{\n{format_samples(array)}}};\n"
        for declared, (_, _, _, array) in zip(declarations, ends, strict=True)
    ]
    fills = [
        f"  std::memcpy(edgeprune_model::Input{i}(), kGoldenInput{i}[sample],\n"
        f"              sizeof(kGoldenInput{i}[sample]));"
        for i in range(len(model.inputs))
    ]
    comparisons = [
        f"CompareOutput(sample, {i}, kGoldenOutput{i}[sample], edgeprune_model::Output{i}(),\n"
        f"                       edgeprune_model::kOutput{i}Size)"
        for i in range(len(model.outputs))
    ]
    return {
        "samples": str(golden.samples),
        "origin": one_line(golden.origin),
        "golden_declarations": "\n".join(f"extern const {declared};" for declared in declarations),
        "golden_definitions": "\n".join(definitions),
        "fill_inputs": "\n".join(fills),
        "compare_outputs": " &&\n         ".join(comparisons),
    }


def _declare(side: str, index: int, tensor: Tensor) -> str:
    name = f"{side}{index}"
    return f"{C_TYPES[tensor.dtype]} kGolden{name}[kGoldenSamples][edgeprune_model::k{name}Size]"


def format_samples(array: Array) -> str:
    """The elements of a C array of arrays, one for each sample; raises DataError for what is not finite."""
    return "".join(f"    {{\n{_format_numbers(sample.ravel())}    }},\n" for sample in array)


def _format_numbers(flat: Array) -> str:
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise DataError("a golden sample holds NaN or infinity", fix="give other samples with --data")
    if flat.dtype.kind == "f":
        numbers: Sequence[str] = [format_float(value) for value in flat.tolist()]
    else:
        numbers = [str(int(value)) for value in flat.tolist()]
    starts = range(0, len(numbers), _NUMBERS_PER_LINE)
    return "".join(f"        {', '.join(numbers[i : i + _NUMBERS_PER_LINE])},\n" for i in starts)
