"""Ops on elements alone or in pairs, and rows of them."""

from collections.abc import Iterator

from small_models import tensor

from tests.firmware.c.example import (
    Example,
    binary,
    int8,
    options_of,
    typed,
    unary,
)


def binary_examples() -> Iterator[Example]:
    for op in ("ADD", "SUB", "MUL"):
        yield binary(f"{op}", op)
        yield binary(f"{op} of equal scales", op, scales=(0.05, 0.05, 0.05))
        yield binary(f"{op} zero points low", op, zeros=(-128, -128, -128), activation="RELU")
        yield binary(f"{op} zero points high", op, zeros=(127, 127, 127))
        yield binary(f"{op} far apart", op, scales=(0.9, 0.001, 0.4))
        # Halves: rounded otherwise if one of the factors were computed in float32.
        for scales in ((0.9, 0.3, 0.4), (0.45, 0.9, 0.6), (0.7, 0.05, 0.2), (0.1, 0.3, 0.025)):
            yield binary(f"{op} of {scales}", op, (1, 8, 8, 8), (1, 8, 8, 8), scales=scales, zeros=(0, 0, 0))
        yield binary(f"{op} relu6", op, scales=(0.05, 0.05, 0.04), activation="RELU6")
        yield binary(f"{op} saturating", op, scales=(0.5, 0.3, 0.01) if op == "MUL" else (0.5, 0.3, 0.1))
        yield binary(f"{op} of a row", op, right=(1, 1, 1, 3))
        yield binary(f"{op} of a column", op, right=(1, 4, 1, 1))
        yield binary(f"{op} of a number", op, right=(1, 1, 1, 1), constant=True)
        yield binary(f"{op} of a constant", op, constant=True)
        yield binary(f"{op} both ways", op, left=(1, 4, 1, 3), right=(1, 1, 5, 3))


def lookup_examples() -> Iterator[Example]:
    # Halves: rounded otherwise if the ratio of the scales were computed in float32.
    yield unary("relu of halves", "RELU", scale=0.9, zero=-40, out_scale=0.4, out_zero=-20)
    leaky = options_of("LeakyRelu", alpha=0.2)
    yield unary("leaky relu of halves", "LEAKY_RELU", scale=0.9, zero=-40, out_scale=0.4, options=leaky)
    for scale in (0.01, 0.05, 0.3):
        for zero in (-128, 0, 127):
            yield unary(
                f"logistic {scale} {zero}",
                "LOGISTIC",
                scale=scale,
                zero=zero,
                out_scale=1 / 256,
                out_zero=-128,
            )
            yield unary(f"tanh {scale} {zero}", "TANH", scale=scale, zero=zero, out_scale=1 / 128)
            yield unary(f"relu {scale} {zero}", "RELU", scale=scale, zero=zero, out_scale=0.06, out_zero=-20)
            yield unary(
                f"relu6 {scale} {zero}", "RELU6", scale=scale, zero=zero, out_scale=scale, out_zero=zero
            )
            yield unary(
                f"quantize {scale} {zero}", "QUANTIZE", scale=scale, zero=zero, out_scale=0.07, out_zero=5
            )
            yield unary(f"elu {scale} {zero}", "ELU", scale=scale, zero=zero, out_scale=0.03, out_zero=-20)
            leaky = options_of("LeakyRelu", alpha=0.2)
            yield unary(
                f"leaky relu {scale} {zero}",
                "LEAKY_RELU",
                scale=scale,
                zero=zero,
                out_scale=0.06,
                options=leaky,
            )
    for scale, out_scale in ((0.05, 0.05), (0.02, 0.03), (0.4, 0.4)):
        yield unary(
            f"hard swish {scale}", "HARD_SWISH", scale=scale, zero=-3, out_scale=out_scale, out_zero=-100
        )


def byte_examples() -> Iterator[Example]:
    for types in (("uint8", "int8"), ("int8", "uint8")):
        low, high = (0, -128) if types[0] == "uint8" else (-128, 0)
        for name, zero, scale, out_zero in (
            ("flipped", low + 5, 0.05, high + 5),
            ("shifted", low + 128, 0.05, high + 100),
            ("rescaled", low + 255, 0.03, high + 7),
        ):
            tensors = (
                typed(types[0], (1, 16, 16), scale=scale, zero_point=zero),
                typed(types[1], (1, 16, 16), scale=0.05, zero_point=out_zero),
            )
            name = f"quantize {types[0]} {name}"
            yield Example(name=name, op="QUANTIZE", tensors=tensors, inputs=(0,), outputs=(1,))
    tensors = (typed("uint8", (1, 256), scale=0.0371, zero_point=128), tensor((1, 256), "FLOAT32"))
    yield Example(name="dequantize uint8", op="DEQUANTIZE", tensors=tensors, inputs=(0,), outputs=(1,))


def softmax_examples() -> Iterator[Example]:
    for scale in (0.01, 0.1, 0.7):
        for shape in ((1, 2), (1, 10), (3, 5)):
            options = options_of("Softmax", beta=1.0)
            yield unary(
                f"softmax {scale} {shape}",
                "SOFTMAX",
                shape=shape,
                scale=scale,
                out_scale=1 / 256,
                out_zero=-128,
                options=options,
            )


def element_examples() -> Iterator[Example]:
    for op in ("MAXIMUM", "MINIMUM"):
        yield binary(op, op, scales=(0.05, 0.05, 0.05), zeros=(3, 3, 3))
        yield binary(f"{op} of a row", op, right=(1, 1, 1, 3), scales=(0.05, 0.05, 0.05), zeros=(3, 3, 3))
    yield binary("prelu", "PRELU", right=(1, 1, 3), constant=True)
    yield binary(
        "prelu zero points at ends", "PRELU", right=(4, 5, 3), constant=True, zeros=(-128, 127, -128)
    )
    for zero in (-128, 7):
        yield Example(
            name=f"dequantize {zero}",
            op="DEQUANTIZE",
            tensors=(int8((1, 256), scale=0.0371, zero_point=zero), tensor((1, 256), "FLOAT32")),
            inputs=(0,),
            outputs=(1,),
        )
        yield Example(
            name=f"quantize floats {zero}",
            op="QUANTIZE",
            tensors=(tensor((1, 256), "FLOAT32"), int8((1, 256), scale=0.5, zero_point=zero)),
            inputs=(0,),
            outputs=(1,),
        )
