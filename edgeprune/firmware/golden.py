"""Golden samples as C++ arrays, for firmware that checks itself against the reference kernels.

They fit the flash that is left: as many as asked for with their outputs, or else with a CRC of 8 bits in
place of each output, or fewer, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeprune.errors import DataError
from edgeprune.firmware.tflm import one_line
from edgeprune.firmware.wrapper import C_TYPES, format_float
from edgeprune.runtimes.golden import Golden
from edgeprune.runtimes.samples import Array
from edgeprune.tflite.model import Model, Tensor
from edgeprune.units import format_quantity

_NUMBERS_PER_LINE = 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedGolden:
    """Golden samples as there is room for them.

    Attributes:
        golden: the samples; none where none fit.
        as_crc: whether a CRC stands for each output.
        bytes: what they take.
        note: what is left out and why, as a sentence; "" for nothing.
    """

    golden: Golden
    as_crc: bool
    bytes: int
    note: str


def fit_golden(golden: Golden, *, room_bytes: float | None, is_exact: bool) -> FittedGolden:
    """As many samples as there is room for.

    Args:
        golden: those that were asked for.
        room_bytes: of flash beside the program; None where that is not known.
        is_exact: whether the kernels give the reference's outputs bit for bit, so that a CRC can tell.
    """
    asked = golden.samples
    inputs, outputs = (sum(a[:1].nbytes for a in arrays) for arrays in (golden.inputs, golden.outputs))
    whole, short = inputs + outputs, inputs + len(golden.outputs)
    if room_bytes is None or asked * whole <= room_bytes:
        return FittedGolden(golden=golden, as_crc=False, bytes=asked * whole, note="")
    room = max(0, int(room_bytes))
    exact = is_exact and all(array.dtype.kind != "f" for array in golden.outputs)
    few, more = room // whole, min(asked, room // short) if exact else 0
    left = f"the {format_quantity(float(room), 'bytes')} of flash that are left"
    if more > few:
        return FittedGolden(
            golden=golden.take(more),
            as_crc=True,
            bytes=more * short,
            note=f"{more} of {asked} golden samples fit {left}, with a CRC of 8 bits for each output.",
        )
    if few:
        note = f"{few} of {asked} golden samples fit {left}."
        return FittedGolden(golden=golden.take(few), as_crc=False, bytes=few * whole, note=note)
    note = (
        f"No golden sample of {format_quantity(float(whole), 'bytes')} fits {left}: outputs are not compared."
    )
    return FittedGolden(golden=golden.take(0), as_crc=False, bytes=0, note=note)


def render_golden(golden: Golden, model: Model, *, as_crc: bool = False) -> dict[str, str]:
    """Values of the templates of the golden samples and their check.

    Args:
        golden: the samples; there may be none.
        model: the artefact they belong to.
        as_crc: write a CRC for each output in place of its elements.

    Raises:
        DataError: an expected output is not a finite number.
    """
    if not golden.samples:
        return _render_none(golden, model)
    ends = [("Input", i, t, golden.inputs[i]) for i, t in enumerate(model.inputs)]
    if not as_crc:
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
    if as_crc:
        declared = [f"uint8_t kGoldenCrc{i}[kGoldenSamples]" for i in range(len(model.outputs))]
        sums = [[crc8(sample.tobytes()) for sample in array] for array in golden.outputs]
        declarations += declared
        definitions += [
            f"const {name} = {{{', '.join(map(str, values))}}};\n"
            for name, values in zip(declared, sums, strict=True)
        ]
        comparisons = [
            f"CompareCrc(sample, {i}, kGoldenCrc{i}[sample], edgeprune_model::Output{i}(),\n"
            f"                    edgeprune_model::kOutput{i}Size)"
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


def crc8(data: bytes) -> int:
    """The checksum of SMBus: polynomial x^8 + x^2 + x + 1, starting with 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x107 if crc & 0x80 else 0)) & 0xFF
    return crc


def _render_none(golden: Golden, model: Model) -> dict[str, str]:
    """Nothing but an inference on zeros, for the time it takes."""
    fills = [
        f"  std::memset(edgeprune_model::Input{i}(), 0,\n"
        f"              sizeof(*edgeprune_model::Input{i}()) * edgeprune_model::kInput{i}Size);"
        for i in range(len(model.inputs))
    ]
    return {
        "samples": "0",
        "origin": one_line(golden.origin),
        "golden_declarations": "// There was no room for any.",
        "golden_definitions": "",
        "fill_inputs": "\n".join(fills),
        "compare_outputs": "true",
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
