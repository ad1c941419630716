"""A compiled model as C99: `model.h`, `model.c`, `weights.h`, `weights.c`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.calls import (
    Memory,
    define_pointers,
    format_calls,
    format_parameters,
    list_copies,
    number_end,
)
from edgeprune.firmware.c.layer import C_TYPES, Constant, format_float, read_template, render, zero_point
from edgeprune.firmware.c.program import Program, Step
from edgeprune.tflite.model import Model, Tensor
from edgeprune.version import __version__

_KERNEL_ORDER = (
    "math",
    "clamp",
    "clamp_wide",
    "clamp_float",
    "clamp_int32",
    "round_to_even",
    "logistic_float",
    "round_steps",
    "wrapping",
    "multiply",
    "rescale",
    "requantize",
    "requantize_wide",
    "requantize_right",
    "requantize_step",
    "requantize_any",
    "reciprocal",
    "leading_zeros",
    "logarithm",
    "inverse_root",
    "between_wide",
    "truncate",
    "bytes",
    "dsp",
    "widen_two",
    "widen_lane",
    "fill_lane",
    "split_sum",
    "dot_4x2",
    "add_sums_4x2",
    "convolve_4x2",
    "convolve_4x2_full",
    "convolve_4x2_relu",
    "convolve_4x2_between",
    "convolve_4x2_odd",
    "winograd",
    "winograd_put",
    "winograd_put_any",
    "dot_8x1",
    "add_sums_8x1",
    "set_sums_8x1",
    "connect_8x1",
    "dot_row",
    "dot_1x1",
    "connect_4x1",
    "widen_column",
    "add_row",
    "join_products",
    "join_lanes",
    "put_half",
    "put_pair",
    "gather_eight",
    "naked",
    "parts_1x8",
    "dot_1x8",
    "dot_sparse_1x8",
    "dot_sparse_1x8_dsp",
    "dot_sparse_1x1",
    "dot_8x1_bytes",
    "mve",
    "add_mve",
    "sum_four_mve",
    "largest",
    "means",
    "dot_4x2_mve",
    "convolve_two_mve",
    "convolve_two_full_mve",
    "convolve_two_relu_mve",
    "convolve_two_between_mve",
    "convolve_two_odd_mve",
    "dot_4x1_mve",
    "connect_4x1_mve",
    "connect_4x1_full_mve",
    "connect_4x1_relu_mve",
    "connect_4x1_between_mve",
    "connect_4x1_odd_mve",
    "interpolate",
    "lstm",
    "lstm_put_gates",
    "lstm_put_gates_any",
    "lstm_gates_mve",
    "depthwise_8_mve",
    "depthwise_3x3_mve",
    "tiles_mve",
    "tiles_full_mve",
    "tiles_relu_mve",
    "tiles_between_mve",
)
_PER_LINE = 16
_ARENA = Memory(bytes="arena.bytes", words="arena.words", fence="EDGEPRUNE_FENCE()")
_CONSTANT_TYPES = {**C_TYPES, "int64": "int64_t"}


def format_sources(program: Program, *, name: str, facts: str) -> dict[str, str]:
    """File name → text of the four files.

    Args:
        program: the compiled model.
        name: what the model is called in C: functions and macros start with `edgeprune_<name>`.
        facts: where all this comes from, one clause for the comment on top.
    """
    model = program.model
    values = {"name": name, "upper": name.upper(), "facts": f"edgeprune {__version__}: {facts}"}
    constants = [(step, constant) for step in program.steps for constant in step.layer.constants]
    return {
        "model.h": render(
            "model.h",
            **values,
            parameters=format_parameters(model),
            quantization=read_template("quantization.h") if _is_quantized(model) else "",
            sizes="\n".join(
                _define_sizes(name.upper(), "INPUT", model.inputs)
                + _define_sizes(name.upper(), "OUTPUT", model.outputs)
            ),
            arena_bytes=program.plan.total_bytes,
            reset_declaration=render("reset.h", name=name) if program.state else "",
        ),
        "model.c": render(
            "model.c",
            **values,
            parameters=format_parameters(model),
            kernels="\n".join(_read_kernels(program)),
            functions="\n".join(step.layer.function for step in program.steps if step.layer.function),
            arena=_define_arena(program),
            state=_define_state(program),
            pointers="\n".join(define_pointers(program, _ARENA)),
            calls=format_calls(program, _ARENA),
            reset=_define_reset(program, name),
        ),
        "weights.h": render(
            "weights.h", **values, declarations="\n".join(f"extern {_declare(s, c)};" for s, c in constants)
        ),
        "weights.c": render(
            "weights.c", **values, definitions="\n\n".join(_define(s, c) for s, c in constants)
        ),
    }


def _define_sizes(upper: str, side: str, tensors: tuple[Tensor, ...]) -> list[str]:
    lines = []
    for place, tensor in enumerate(tensors):
        macro = f"EDGEPRUNE_{upper}_{number_end(side, place, tensors)}"
        shape = "x".join(map(str, tensor.shape))
        lines.append(f"#define {macro}_ELEMENTS {tensor.elements} /* {shape} {tensor.dtype} */")
        if _has_scale(tensor):
            lines.append(f"#define {macro}_SCALE {format_float(tensor.scales[0])}")
            lines.append(f"#define {macro}_ZERO_POINT ({zero_point(tensor)})")
    return lines


def _is_quantized(model: Model) -> bool:
    """Whether an input or output stands for real numbers by a scale and a zero point."""
    return any(map(_has_scale, (*model.inputs, *model.outputs)))


def _has_scale(tensor: Tensor) -> bool:
    return tensor.scales.size == 1


def _read_kernels(program: Program) -> Iterator[str]:
    used = {kernel for step in program.steps for kernel in step.layer.kernels}
    if used & {"rescale", "requantize_right"}:
        used.add("multiply")
    if used & {"rescale", "dsp"}:
        used.add("wrapping")
    if any(list_copies(program)):
        used.add("bytes")
    for kernel in _KERNEL_ORDER:
        if kernel in used:
            yield read_template(f"kernels/{kernel}.h")


def _define_arena(program: Program) -> str:
    """The memory of tensors and scratch; words, so that it is aligned."""
    total = program.plan.total_bytes
    if not total:
        return ""
    words = f"int32_t words[{total // 4}];"
    return f"EDGEPRUNE_ARENA static union {{\n    {words}\n    int8_t bytes[{total}];\n}} arena;\n"


def _define_state(program: Program) -> str:
    lines = []
    for tensor in program.state:
        ctype, elements = C_TYPES[tensor.dtype], tensor.elements
        lines.append(f"static {ctype} state_{tensor.index}[{elements}];\n")
        if tensor.index in program.starts:
            values = _format_values(program.starts[tensor.index])
            lines.append(f"static const {ctype} start_{tensor.index}[{elements}] = {{\n{values}\n}};\n")
    return "".join(lines) + ("\n" if lines else "")


def _define_reset(program: Program, name: str) -> str:
    """A function that sets every variable to what it begins with."""
    resets = [
        render("reset_start.c", place=t.index)
        if t.index in program.starts
        else render("reset_state.c", state=f"state_{t.index}", elements=t.elements, zero=zero_point(t))
        for t in program.state
    ]
    return render("reset.c", name=name, resets="".join(resets)) if resets else ""


def _declare(step: Step, constant: Constant) -> str:
    ctype = constant.ctype or _CONSTANT_TYPES[str(constant.values.dtype)]
    count = len(constant.values) if constant.ctype else constant.values.size
    return f"const {ctype} {step.label}_{constant.name}[{count}]"


def _define(step: Step, constant: Constant) -> str:
    values = constant.values
    if constant.ctype:  # records
        lines = ["    {" + ", ".join(map(_literal, row)) + "}," for row in values.tolist()]
    else:
        lines = [_format_values(values)]
    return f"{_declare(step, constant)} = {{\n" + "\n".join(lines) + "\n};"


def _format_values(values: NDArray[Any]) -> str:
    """The lines of an array's elements."""
    is_float = values.dtype == np.float32
    flat = [
        format_float(value) if is_float else _literal(value)
        for value in (values.reshape(-1) if is_float else values.reshape(-1).tolist())
    ]
    return "\n".join(
        "    " + " ".join(f"{each}," for each in flat[start : start + _PER_LINE])
        for start in range(0, len(flat), _PER_LINE)
    )


def _literal(value: int) -> str:
    # -2147483648 is the negation of a number that does not fit; True is no word of C.
    return "INT32_MIN" if value == np.iinfo(np.int32).min else str(int(value))
