"""An Android library with a model: Kotlin on LiteRT's `CompiledModel`, and a test on the device."""

import json
from collections.abc import Sequence

from edgeprune.device.profile import Profile
from edgeprune.errors import ModelError
from edgeprune.firmware.rendering import render_folder
from edgeprune.firmware.tflm import format_comment, one_line
from edgeprune.firmware.wrapper import format_float, is_quantized
from edgeprune.runtimes.golden import Golden
from edgeprune.tflite.attached import read_attached
from edgeprune.tflite.delegates import GPU
from edgeprune.tflite.metadata import ENTRY, ModelMetadata, TensorMetadata, read_metadata
from edgeprune.tflite.model import Model, Tensor

KIND = "android"
"""Its name on the command line."""
ASSET = "edgeprune_model.tflite"

_CLASSES = {
    "bool": "BooleanTensor",
    "float32": "FloatTensor",
    "int8": "QuantizedTensor",
    "int32": "IntTensor",
    "int64": "LongTensor",
    "uint8": "QuantizedTensor",
}
"""TFLite's types with the classes of `Tensor.kt`; LiteRT's buffers take no others."""
_IDENTITY = ((0.0,), (1.0,))


def render_android(tflite: bytes, model: Model, *, golden: Golden, profile: Profile) -> dict[str, bytes]:
    """Path in the project → content, for all of its files; the same arguments give the same bytes.

    Args:
        tflite: the artefact.
        model: the same, read.
        golden: samples for the test.
        profile: the phone.

    Raises:
        ModelError: LiteRT's Kotlin interface cannot hand over an input or output, or metadata are damaged.
    """
    _refuse_order(model)
    known = _read_known(model)
    labels = golden.labels or _read_labels(tflite, model, known)
    sides = (("input", model.inputs, known.inputs), ("output", model.outputs, known.outputs))
    tensors, constants = [], []
    for side, ends, described in sides:
        for index, tensor in enumerate(ends):
            tensors.append(_declare(tensor, side=side, index=index, where=model.where))
            facts = described[index] if index < len(described) else TensorMetadata()
            if facts.mean and (facts.mean, facts.std) != _IDENTITY:
                constants.append(_declare_normalization(facts, name=f"{side.upper()}{index}"))
    if labels:
        quoted = "".join(f"            {_quote(label)},\n" for label in labels)
        constants.append(
            f"        /** Of the classes, in the order of the output. */\n"
            f"        @JvmField val LABELS: List<String> = listOf(\n{quoted}        )\n"
        )
    values = {
        "accelerator": "GPU" if profile.runtime.kernels == GPU else "CPU",
        "asset": ASSET,
        "comment": format_comment(tflite, {"Device": profile.id}),
        "constants": "".join(f"\n{text}" for text in constants),
        "device": one_line(profile.id),
        "example": _render_example(model, constants=constants, labels=labels),
        "inputs": ", ".join(f"input{index}" for index in range(len(model.inputs))),
        "model_bytes": str(len(tflite)),
        "origin": one_line(golden.origin),
        "outputs": ", ".join(f"output{index}" for index in range(len(model.outputs))),
        "samples": str(golden.samples),
        "tensors": "\n".join(tensors),
    }
    texts = {path: text.encode() for path, text in render_folder(KIND, values).items()}
    samples = b"".join(
        array.astype(array.dtype.newbyteorder("<")).tobytes() for array in (*golden.inputs, *golden.outputs)
    )
    return texts | {f"src/main/assets/{ASSET}": tflite, "src/androidTest/assets/golden.bin": samples}


def _refuse_order(model: Model) -> None:
    """Raises ModelError for a signature in another order: LiteRT's buffers are in the signature's."""
    for signature in model.signatures[:1]:
        graph = model.subgraphs[signature.subgraph]
        ends = (tuple(signature.inputs.values()), tuple(signature.outputs.values()))
        if signature.subgraph != 0 or ends != (graph.inputs, graph.outputs):
            raise ModelError(
                f"its signature '{signature.key}' is not its main graph, or in another order",
                where=model.where,
                fix="leave signatures out: 'edgeprune strip' does",
            )


def _read_known(model: Model) -> ModelMetadata:
    content = model.metadata.get(ENTRY)
    return ModelMetadata() if content is None else read_metadata(content, where=model.where)


def _read_labels(tflite: bytes, model: Model, known: ModelMetadata) -> tuple[str, ...]:
    name = next((output.labels for output in known.outputs if output.labels), "")
    content = read_attached(tflite, model).get(name, b"")
    return tuple(content.decode("utf-8", "replace").splitlines())


def _declare(tensor: Tensor, *, side: str, index: int, where: str) -> str:
    if tensor.dtype not in _CLASSES:
        raise ModelError(
            f"{side} {index} is of type {tensor.dtype}, which LiteRT's Kotlin interface cannot hand over",
            where=where,
            fix=f"give the model an {side} of one of the types {', '.join(_CLASSES)}",
        )
    kind = _CLASSES[tensor.dtype]
    arguments = f"{side}Buffers[{index}], {tensor.elements}"
    if kind == "QuantizedTensor":
        scale, zero_point = (
            (float(tensor.scales[0]), int(tensor.zero_points[0])) if is_quantized(tensor) else (1.0, 0)
        )
        is_signed = str(tensor.dtype == "int8").lower()
        arguments += f", scale = {format_float(scale)}, zeroPoint = {zero_point}, isSigned = {is_signed}"
    name = f"{side.capitalize()} {index}" + (f', "{_comment(tensor.name)}"' if tensor.name else "")
    shape = " x ".join(map(str, tensor.shape)) or "a single value"
    return f"    /** {name}: {tensor.dtype}, {shape}. */\n    val {side}{index} = {kind}({arguments})\n"


def _declare_normalization(facts: TensorMetadata, *, name: str) -> str:
    mean, std = (", ".join(map(format_float, values)) for values in (facts.mean, facts.std))
    return (
        f"        /** What raw values become before [{name.lower()}] takes them. */\n"
        f"        @JvmField val {name}_NORMALIZATION = "
        f"Normalization(floatArrayOf({mean}), floatArrayOf({std}))\n"
    )


def _render_example(model: Model, *, constants: Sequence[str], labels: Sequence[str]) -> str:
    """Lines of README.md that run an inference."""
    takes = {"bool": "BooleanArray", "int32": "IntArray", "int64": "LongArray"}
    lines = []
    for index, tensor in enumerate(model.inputs):
        values = f"values{index}"
        if any(f"INPUT{index}_NORMALIZATION" in text for text in constants):
            values = f"EdgepruneModel.INPUT{index}_NORMALIZATION({values})"
        kind = takes.get(tensor.dtype, "FloatArray")
        lines.append(f"model.input{index}.write({values}) // a {kind} of {tensor.elements}")
    lines += ["model.run()", "val scores = model.output0.read()"]
    if labels:
        lines.append("val label = EdgepruneModel.LABELS[scores.indices.maxBy { scores[it] }]")
    inner = "".join(f"        {line}\n" for line in lines)
    return f"    EdgepruneModel.create(context).use {{ model ->\n{inner}    }}\n"


def _comment(text: str) -> str:
    return one_line(text).replace("*/", "").replace("/*", "")


def _quote(text: str) -> str:
    """A string literal of Kotlin in ASCII; JSON's differ in two characters."""
    return json.dumps(text).replace("\\f", "\\u000c").replace("$", "\\$")
