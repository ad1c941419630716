"""Golden samples as C++ arrays, for firmware that checks itself against the reference kernels."""

from collections.abc import Sequence

import numpy as np

from edgeprune.errors import DataError
from edgeprune.firmware.tflm import one_line
from edgeprune.firmware.wrapper import C_TYPES, format_float
from edgeprune.runtimes.golden import Golden
from edgeprune.runtimes.samples import Array
from edgeprune.tflite.model import Model, Tensor

_NUMBERS_PER_LINE = 20


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
