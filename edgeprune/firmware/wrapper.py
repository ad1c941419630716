"""The parts of `edgeprune_model.h` and `.cc` that depend on the model: typed inputs and outputs, labels."""

from collections.abc import Sequence

from edgeprune.errors import ModelError
from edgeprune.firmware.rendering import fill_template
from edgeprune.firmware.tflm import one_line
from edgeprune.tflite.model import Model, Tensor

C_TYPES = {
    "bool": "bool",
    "float32": "float",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
}
"""TFLite's types of inputs and outputs with their names in C++."""

_QUANTIZED = ("int8", "int16", "uint8")


def render_wrapper(model: Model, *, labels: Sequence[str], runtime: str) -> dict[str, str]:
    """Values of the templates: `declarations` for the header, `conversions` and `definitions` for the source.

    Args:
        model: the artefact.
        labels: names of the classes in the order of the output's elements; empty where they are not known.
        runtime: "tflm" or "c".

    Raises:
        ModelError: an input or output is of a type that C++ lacks.
    """
    ends = [("Input", i, tensor) for i, tensor in enumerate(model.inputs)]
    ends += [("Output", i, tensor) for i, tensor in enumerate(model.outputs)]
    declarations, definitions, used = [], [], set()
    for side, index, tensor in ends:
        values = _describe_tensor(model, tensor, side=side, index=index)
        parts = ["raw"]
        if is_quantized(tensor):
            parts.append("values")
            used.add(side)
        for part in parts:
            declarations.append(fill_template(f"wrapper/{side.lower()}_{part}.h.in", values))
            folder = f"wrapper/{runtime}" if part == "raw" else "wrapper"
            definitions.append(fill_template(f"{folder}/{side.lower()}_{part}.cc.in", values))
    if labels:
        values = {"count": str(len(labels)), "labels": "\n".join(f"    {quote(name)}," for name in labels)}
        declarations.append(fill_template("wrapper/labels.h.in", values))
        definitions.append(fill_template("wrapper/labels.cc.in", values))
    conversions = [fill_template(f"wrapper/{side.lower()}_conversion.cc.in", {}) for side in sorted(used)]
    return {
        "declarations": "\n".join(declarations),
        "definitions": "\n".join(definitions),
        "conversions": "".join(f"{text}\n" for text in conversions),
    }


def is_quantized(tensor: Tensor) -> bool:
    """Whether its elements stand for real numbers by one scale and zero point."""
    return tensor.dtype in _QUANTIZED and tensor.scales.size == 1


def quote(text: str) -> str:
    """A C++ string literal; what is no printable ASCII is written in octal, byte by byte of its UTF-8."""
    plain = {ord(char) for char in map(chr, range(ord(" "), ord("~") + 1)) if char not in '"\\?'}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def format_float(value: float) -> str:
    """A float literal that gives exactly this float32."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _describe_tensor(model: Model, tensor: Tensor, *, side: str, index: int) -> dict[str, str]:
    name = f"{side}{index}"
    if tensor.dtype not in C_TYPES:
        raise ModelError(
            f"{side.lower()} {index} is of type {tensor.dtype}, which firmware cannot hand over",
            where=model.where,
            fix=f"give the model an {side.lower()} of one of the types {', '.join(C_TYPES)}",
        )
    values = {
        "name": name,
        "type": C_TYPES[tensor.dtype],
        "index": str(index),
        "shape": " x ".join(map(str, tensor.shape)) or "a single value",
        "label": f', "{one_line(tensor.name)}"' if tensor.name else "",
        "size": str(tensor.elements),
    }
    if is_quantized(tensor):
        values["scale"] = format_float(float(tensor.scales[0]))
        values["zero_point"] = str(int(tensor.zero_points[0]))
    return values
