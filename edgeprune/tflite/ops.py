"""Questions about a model's ops: what they cost, and whether a runtime has kernels for them."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from edgeprune.errors import ModelError
from edgeprune.graph.opshape import Decoded, OpShape
from edgeprune.tflite.decode.read import read_decoded
from edgeprune.tflite.decode.wire import OP_NAME as DECODE
from edgeprune.tflite.model import Model, Op, Subgraph, Tensor
from edgeprune.tflite.op_table import FILTER_LAYOUTS, OPS, OpKind

Runtime = Literal["tflm", "litert"]

_SOFTMAX_UNIT = float(1 << 26)
"""A difference of 1 in TFLM's softmax, which has 5 integer bits of 31."""
_AS_BYTES = (
    "give the model a float32 input and convert it with --io-type uint8: its file takes the same bytes"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsupportedOp:
    """One op that a runtime cannot execute as it stands.

    Attributes:
        op: its name, for example "CONV_2D".
        subgraph, index: where it is.
        dtype: type of its activation, "" where that does not matter.
        reason: why, as a clause.
        fix: what to do, as an imperative clause.
    """

    op: str
    subgraph: int
    index: int
    dtype: str
    reason: str
    fix: str


def op_shapes(model: Model) -> list[OpShape]:
    """The shapes of the main subgraph's ops in the order of execution.

    Ops inside the branches and bodies of IF and WHILE are left out; `executed_shapes` has them.
    """
    return subgraph_shapes(model, 0)


def subgraph_shapes(model: Model, place: int) -> list[OpShape]:
    """The same of any subgraph, by its index."""
    subgraph = model.subgraphs[place]
    made = {index for op in subgraph.ops if op.name == DECODE for index in op.outputs}
    return [_shape_of(op, subgraph, made) for op in subgraph.ops]


def unsupported_ops(model: Model, *, runtime: Runtime) -> list[UnsupportedOp]:
    """What the runtime cannot execute, one entry for each op; empty if it can execute all.

    Args:
        model: the model; all its subgraphs are looked at.
        runtime: "tflm" for TFLM's reference and CMSIS-NN kernels, "litert" for tflite-runtime 2.14.
    """
    evaluator = _judge_tflm if runtime == "tflm" else _judge_litert
    found = []
    for place, subgraph in enumerate(model.subgraphs):
        for op in subgraph.ops:
            verdict = evaluator(op, subgraph)
            if verdict is not None:
                dtype = _activation_type(op, subgraph)
                found.append(
                    UnsupportedOp(
                        op=op.name,
                        subgraph=place,
                        index=op.index,
                        dtype=dtype,
                        reason=verdict[0],
                        fix=verdict[1],
                    )
                )
    return found


def find_flat_softmax(model: Model) -> tuple[str, str] | None:
    """Why reference kernels crash on a softmax of values that are all but constant, and what to do."""
    verdicts = (
        _judge_softmax(op, subgraph)
        for subgraph in model.subgraphs
        for op in subgraph.ops
        if op.name == "SOFTMAX"
    )
    return next((verdict for verdict in verdicts if verdict), None)


def describe_ends(model: Model) -> str:
    """The types of inputs and outputs, as a clause: "int8 inputs and outputs"."""
    ends = (model.inputs, model.outputs)
    inputs, outputs = (" and ".join(dict.fromkeys(tensor.dtype for tensor in end)) for end in ends)
    return (
        f"{inputs} inputs and outputs" if inputs == outputs else f"{inputs or 'no'} inputs, {outputs} outputs"
    )


def output_steps(model: Model) -> tuple[float, ...]:
    """One quantization step of each output as a real number, 0.0 where it is not quantized.

    A float output that DEQUANTIZE makes has the steps of the integers it is made of.
    """
    made = {op.outputs[0]: model.tensors[op.inputs[0]] for op in model.ops if op.name == "DEQUANTIZE"}
    sources = (made.get(tensor.index, tensor) for tensor in model.outputs)
    return tuple(float(t.scales[0]) if t.scales.size == 1 and t.dtype != "float32" else 0.0 for t in sources)


def kinds_used(model: Model) -> dict[str, list[tuple[Op, Subgraph]]]:
    """The model's ops by name, in order of first use, over all subgraphs."""
    used: dict[str, list[tuple[Op, Subgraph]]] = {}
    for subgraph in model.subgraphs:
        for op in subgraph.ops:
            used.setdefault(op.name, []).append((op, subgraph))
    return used


def is_int8_only(kind: OpKind, uses: list[tuple[Op, Subgraph]]) -> bool:
    """Whether the op's int8-only registration serves all its uses: int8 in, int8 out, int8 weights."""
    if kind.int8_registration is None:
        return False
    for op, subgraph in uses:
        tensors = [_input(op, subgraph, kind.activation)]
        if kind.weights:
            tensors.append(_input(op, subgraph, kind.weights_input))
        tensors += [subgraph.tensors[index] for index in op.outputs]
        if any(tensor is None or tensor.dtype != "int8" for tensor in tensors):
            return False
    return True


def _shape_of(op: Op, subgraph: Subgraph, decoded: Set[int]) -> OpShape:
    output = subgraph.tensors[op.outputs[0]] if op.outputs else None
    kind = OPS.get(op.name)
    weights = _input(op, subgraph, kind.weights_input) if kind and kind.weights else None
    options = op.options
    layout = FILTER_LAYOUTS.get(op.name)
    bias = layout.bias if layout else None
    # Weights that a DECODE op unpacks are no constants, but no activations either.
    fixed = {bias, kind.weights_input} if kind and kind.weights else set()
    if op.name == "TRANSPOSE_CONV":
        fixed.add(0)  # the output's shape, which may be computed
    tensors = [subgraph.tensors[i] for at, i in enumerate(op.inputs) if i >= 0 and at not in fixed]
    return OpShape(
        op=op.name,
        name=(output.name if output else "") or f"{op.name.lower()}_{op.index}",
        inputs=tuple(tensor.shape for tensor in tensors if not (tensor.is_constant or tensor.is_variable)),
        output=output.shape if output else (),
        filter=_filter_shape(op, subgraph, weights),
        stride=(int(options.get("stride_h", 1)), int(options.get("stride_w", 1))),
        dilation=(int(options.get("dilation_h_factor", 1)), int(options.get("dilation_w_factor", 1))),
        window=(int(options.get("filter_height", 1)), int(options.get("filter_width", 1))),
        padding=str(options.get("padding", "")),
        has_bias=bias is not None and _input(op, subgraph, bias) is not None,
        dtype=_activation_type(op, subgraph) or (output.dtype if output else ""),
        decoded=_decoded_by(op, subgraph),
        weights_decoded=weights is not None and weights.index in decoded,
        weights_per_tensor=weights is not None and weights.scales.size == 1,
        flips_sign=op.name == "QUANTIZE" and _flips_sign(op, subgraph),
    )


def _flips_sign(op: Op, subgraph: Subgraph) -> bool:
    """Whether `Requantize` takes its short way, which flips one bit: the same scale, 128 apart."""
    before, after = _input(op, subgraph, 0), subgraph.tensors[op.outputs[0]]
    if before is None or {before.dtype, after.dtype} != {"uint8", "int8"}:
        return False
    if before.scales.size != 1 or after.scales.size != 1 or before.scales[0] != after.scales[0]:
        return False
    apart = int(before.zero_points[0]) - int(after.zero_points[0])
    return apart == (128 if before.dtype == "uint8" else -128)


def _decoded_by(op: Op, subgraph: Subgraph) -> tuple[Decoded, ...]:
    """What a DECODE op unpacks; nothing where TFLM refuses the op, which `unsupported_ops` tells."""
    try:
        return read_decoded(op, subgraph.tensors) if op.name == DECODE else ()
    except ModelError:
        return ()


def _filter_shape(op: Op, subgraph: Subgraph, weights: Tensor | None) -> tuple[int, ...] | None:
    if weights is None:
        return None
    if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        # All gates' matrices side by side: inputs 1 to 4 meet the input, 5 to 8 the previous output.
        found = (_input(op, subgraph, index) for index in range(1, 9))
        gates = [gate.shape if gate else (0, 0) for gate in found]
        if any(len(shape) != 2 for shape in gates):
            return ()
        return (sum(shape[0] for shape in gates[:4]), weights.shape[1] + gates[5][1])
    return weights.shape


def _judge_tflm(op: Op, subgraph: Subgraph) -> tuple[str, str] | None:
    """Reason and fix if TFLM cannot execute the op."""
    kind = OPS.get(op.name)
    if kind is None or kind.tflm_method is None:
        return _missing(op, "TFLM")
    if any(index >= 0 and subgraph.tensors[index].is_sparse for index in op.inputs):
        return (
            "TFLM does not read TFLite's sparse encoding",
            "convert without sparsity optimisations; edgeprune stores zeros in TFLM's own way",
        )
    if any(index >= 0 and subgraph.tensors[index].is_outside for index in op.inputs):
        return (
            "its weights lie behind the flatbuffer, as in files over 2 GB, where TFLM does not look for them",
            "convert without the converter's option for buffer offsets",
        )
    if op.name == DECODE:
        return _judge_decode(op, subgraph)
    if op.name == "DEPTHWISE_CONV_2D" and len(op.inputs) == 3 and op.inputs[2] < 0:
        return (
            "TFLM's kernel crashes where an empty input stands for the bias",
            "convert the layer with use_bias=True; a bias of zeros does",
        )
    if op.name == "SOFTMAX" and (verdict := _judge_softmax(op, subgraph)):
        return verdict
    weights = _input(op, subgraph, kind.weights_input) if kind.weights else None
    return judge_types(
        kind, _activation_type(op, subgraph), weights=None if weights is None else weights.dtype
    )


def judge_types(kind: OpKind, activation: str, *, weights: str | None) -> tuple[str, str] | None:
    """Why TFLM's kernel of an op does not take these types, and the way out; None where it takes them.

    Args:
        kind: the op; TFLM has a kernel for it.
        activation: type of its activation.
        weights: type of its weights, None for an op without any.
    """
    if kind.tflm_dtypes and activation not in kind.tflm_dtypes:
        fix = _AS_BYTES if (kind.name, activation) == ("CAST", "uint8") else _retype(activation)
        return (f"TFLM's kernel takes {', '.join(kind.tflm_dtypes)}, not {activation}", fix)
    if weights is not None and weights not in kind.weights.get(activation, ()):
        return (
            f"TFLM's kernel does not take {weights} weights with {activation} activations",
            "convert with the scheme int8 and representative data, not dynamic_range"
            if activation == "float32"
            else "convert with the scheme int8",
        )
    return None


def _judge_softmax(op: Op, subgraph: Subgraph) -> tuple[str, str] | None:
    """Its differences are multiplied by a factor that must be above 1; see `PreprocessSoftmaxScaling`."""
    tensor = _input(op, subgraph, 0)
    if tensor is None or tensor.dtype != "int8" or tensor.scales.size != 1:
        return None
    if float(tensor.scales[0]) * float(op.options.get("beta", 1.0)) * _SOFTMAX_UNIT > 1.0:
        return None
    return (
        f"SOFTMAX's kernel crashes where the input's scale is as small as {tensor.scales[0]:g}",
        "its inputs are all but constant: look for weights that are all zero, a dead layer before it, or a "
        "model that was never trained",
    )


def _judge_decode(op: Op, subgraph: Subgraph) -> tuple[str, str] | None:
    try:
        read_decoded(op, subgraph.tensors)
    except ModelError as error:
        return (f"TFLM's kernel refuses it: {error.why}", "encode the file again with edgeprune compress")
    return None


def _judge_litert(op: Op, subgraph: Subgraph) -> tuple[str, str] | None:
    """Reason and fix if tflite-runtime 2.14 cannot execute the op."""
    kind = OPS.get(op.name)
    if kind is None or kind.litert_versions is None:
        return _missing(op, "tflite-runtime 2.14")
    first, last = kind.litert_versions
    if not first <= op.version <= last:
        return (
            f"tflite-runtime 2.14 knows versions {first} to {last} of it, not {op.version}",
            "convert with an older TensorFlow, or ship a newer LiteRT with the application",
        )
    activation = _activation_type(op, subgraph)
    if kind.litert_dtypes and activation not in kind.litert_dtypes:
        return (
            f"tflite-runtime 2.14's kernel takes {', '.join(kind.litert_dtypes)}, not {activation}",
            "replace the layer that becomes this op, or ship a newer LiteRT with the application",
        )
    return None


def _missing(op: Op, runtime: str) -> tuple[str, str]:
    if op.name.startswith("CUSTOM:Flex"):
        return (f"{runtime} has no TensorFlow (Flex) ops", "convert with TFLite's builtin ops alone")
    if op.name == DECODE:
        return (
            f"{runtime} cannot unpack constants that are encoded for TFLM",
            "use the file before encoding",
        )
    if op.name.startswith("CUSTOM:"):
        return (
            f"{runtime} has no kernel for this custom op",
            "register your own kernel, or replace the layer",
        )
    return (f"{runtime} has no kernel for it", "replace the layer that becomes this op")


def _retype(dtype: str) -> str:
    if dtype in ("int16", "uint8", "float16"):
        return "convert with the scheme int8"
    return "change the layer so that it works on int8 or float32 values"


def _activation_type(op: Op, subgraph: Subgraph) -> str:
    kind = OPS.get(op.name)
    tensor = _input(op, subgraph, kind.activation if kind else 0)
    return tensor.dtype if tensor is not None else ""


def _input(op: Op, subgraph: Subgraph, position: int) -> Tensor | None:
    if position >= len(op.inputs) or op.inputs[position] < 0:
        return None
    return subgraph.tensors[op.inputs[position]]
