"""Ops on float32 in plain C: elements alone, in pairs, and rows of them; and on pairs of int32.

Where they call functions of `math.h`, the last bits of an output are those of its C library.
"""

import numpy as np

from edgeprune.firmware.c.arithmetic import limit_float
from edgeprune.firmware.c.layer import (
    LIBRARY,
    Layer,
    Site,
    describe,
    elementwise,
    emits,
    format_float,
    render,
)
from edgeprune.firmware.c.operands import emit_pairs

_PAIRS = {
    "ADD": "*a + *b",
    "SUB": "*a - *b",
    "MUL": "*a * *b",
    "DIV": "*a / *b",
    "SQUARED_DIFFERENCE": "(*a - *b) * (*a - *b)",
    "PRELU": "(*a >= 0.0F) ? *a : *a * *b",
    "FLOOR_DIV": "floorf(*a / *b)",
}
_SINGLES = {
    "ABS": "(x < 0.0F) ? -x : x",
    "NEG": "-x",
    "SQUARE": "x * x",
    "RELU": "(x < 0.0F) ? 0.0F : x",
    "RELU6": "(x > 6.0F) ? 6.0F : ((x < 0.0F) ? 0.0F : x)",
    "HARD_SWISH": "x * clamp_float(x + 3.0F, 0.0F, 6.0F) / 6.0F",
    "ELU": "(x < 0.0F) ? expm1f(x) : x",
    "LOGISTIC": "logistic_float(x)",
    "TANH": "tanhf(x)",
    "EXP": "expf(x)",
    "LOG": "logf(x)",
    "SQRT": "sqrtf(x)",
    "RSQRT": "1.0F / sqrtf(x)",
    "SIN": "sinf(x)",
    "COS": "cosf(x)",
    "FLOOR": "floorf(x)",
    "CEIL": "ceilf(x)",
    "ROUND": "round_to_even(x)",
}
_CALLS = ("expm1f(", "expf(", "tanhf(", "logf(", "sqrtf(", "sinf(", "cosf(", "floorf(", "ceilf(")
_FUNCTIONS = ("clamp_float", "round_to_even", "logistic_float")


@emits("NEG", "SQUARE", "EXP", "LOG", "SQRT", "SIN", "COS", "FLOOR", "CEIL", "ROUND")
def emit_float(site: Site) -> Layer:
    """A function of each number."""
    site.require("float32", site.input(), site.output())
    value = _SINGLES.get(site.op.name, "")
    if site.op.name == "LEAKY_RELU":
        value = f"(x > 0.0F) ? x : x * {format_float(np.float32(site.op.options['alpha']))}"
    function = render(
        "each_float.c",
        name=site.label,
        comment=describe(site),
        elements=site.input().elements,
        value=value,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=_list_kernels(value),
        overlaps=elementwise(of=site.op.inputs[0]),
    )


@emits("DIV", "FLOOR_DIV")
def emit_floats(site: Site) -> Layer:
    """A function of each pair of numbers, with broadcasting."""
    site.require("float32", site.input(0), site.input(1), site.output())
    value = _PAIRS[site.op.name]
    kernels: tuple[str, ...] = ()
    if "fused_activation_function" in site.op.options:
        value, kernels = limit_float(site, value)
    return emit_pairs(site, value=value, kernels=(*kernels, *_list_kernels(value)))


def emit_whole(site: Site) -> Layer:
    """ADD, SUB or MUL of int32 that stand for themselves; what no int32 holds wraps around."""
    site.require("int32", site.input(0), site.input(1), site.output())
    if site.op.options["fused_activation_function"] != "NONE":
        raise site.refuse("it has an activation on int32")
    order = {"ADD": "+", "SUB": "-", "MUL": "*"}[site.op.name]
    return emit_pairs(site, value=f"(int32_t)((uint32_t)*a {order} (uint32_t)*b)", kernels=())


def emit_float_rows(site: Site) -> Layer:
    """SOFTMAX, LOG_SOFTMAX or L2_NORMALIZATION."""
    site.require("float32", site.input(), site.output())
    depth = site.row_length()
    function = render(
        f"{site.op.name.lower()}_float.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // depth,
        depth=depth,
        beta=format_float(np.float32(site.op.options.get("beta", 1.0))),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=(LIBRARY,),
        overlaps=elementwise(of=site.op.inputs[0]),
    )


def _list_kernels(value: str) -> tuple[str, ...]:
    functions = tuple(function for function in _FUNCTIONS if function in value)
    calls = functions not in ((), ("clamp_float",)) or any(call in value for call in _CALLS)
    return (*((LIBRARY,) if calls else ()), *functions)
