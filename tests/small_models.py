"""TFLite models small enough to be computed by hand, built in memory, and the shared real ones."""

from pathlib import Path

import numpy as np
import pytest

from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack

SHARED_MODELS = Path(__file__).parents[1] / ".." / "shared" / "models"
REAL_MODELS = {
    "ad01": "mlperf_tiny/anomaly_detection/ad01_int8.tflite",
    "resnet8": "mlperf_tiny/image_classification/pretrainedResnet_quant.tflite",
    "kws": "mlperf_tiny/keyword_spotting/kws_ref_model.tflite",
    "hello_world": "tflm/hello_world_int8.tflite",
    "micro_speech": "tflm/micro_speech_quantized.tflite",
    "person_detect": "tflm/person_detect.tflite",
    "lstm": "tflm/trained_lstm_int8.tflite",
    "vww": "tinyengine/vww.tflite",
}


def real_model(name: str) -> bytes:
    path = SHARED_MODELS / REAL_MODELS[name]
    if not path.exists():
        pytest.skip(f"the shared model {REAL_MODELS[name]} is not here")
    return path.read_bytes()


def tensor(shape, dtype="INT8", *, data=None, scale=None, zero_point=0, name=""):
    """A tensor for `model`; `data` makes it a constant."""
    schema = load_schema()
    made = schema.TensorT()
    made.shape = np.array(shape, np.int32)
    made.type = getattr(schema.TensorType, dtype)
    made.name = name
    if scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.atleast_1d(np.array(scale, np.float32))
        made.quantization.zeroPoint = np.full(made.quantization.scale.shape, zero_point, np.int64)
        made.quantization.min = np.array([-1.0], np.float32)
        made.quantization.max = np.array([1.0], np.float32)
    made.content = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
    return made


def model(tensors, ops, *, inputs, outputs, version=1, signature=False):
    """A file of one subgraph. Each op: (builtin name or custom name, inputs, outputs, options or None)."""
    return with_subgraphs((tensors, ops, (inputs, outputs)), version=version, signature=signature)


def with_subgraphs(*subgraphs, version=1, signature=False):
    """A file of several; each is given as (tensors, ops, (inputs, outputs)), as `model` takes them."""
    schema = load_schema()
    made = schema.ModelT()
    made.version, made.description = 3, "made by a test"
    # The last buffer belongs to nothing, and equal constants are stored twice: both are for strip to find.
    made.buffers, made.operatorCodes, made.subgraphs = [schema.BufferT()], [], []
    for tensors, ops, (inputs, outputs) in subgraphs:
        graph = schema.SubGraphT()
        graph.name = "main" if not made.subgraphs else f"subgraph_{len(made.subgraphs)}"
        graph.tensors, graph.operators = tensors, [_operator(made, op, version) for op in ops]
        graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        for entry in tensors:
            entry.buffer = len(made.buffers)
            made.buffers.append(schema.BufferT())
            made.buffers[-1].data = entry.content
        made.subgraphs.append(graph)
    made.buffers.append(schema.BufferT())
    made.buffers[-1].data = np.arange(64, dtype=np.uint8)
    if signature:
        _, _, (inputs, outputs) = subgraphs[0]
        entry = schema.SignatureDefT()
        entry.signatureKey, entry.subgraphIndex, entry.inputs, entry.outputs = "serve", 0, [], []
        for side, index in ((entry.inputs, inputs[0]), (entry.outputs, outputs[0])):
            side.append(schema.TensorMapT())
            side[-1].name, side[-1].tensorIndex = f"argument_{index}", index
        made.signatureDefs = [entry]
    return pack(made)


def _operator(made, op, version):
    schema = load_schema()
    name, op_inputs, op_outputs, options = op
    code = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    if number == schema.BuiltinOperator.CUSTOM:
        code.customCode = name
    operator = schema.OperatorT()
    operator.opcodeIndex = len(made.operatorCodes)
    operator.inputs, operator.outputs = np.array(op_inputs, np.int32), np.array(op_outputs, np.int32)
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
    made.operatorCodes.append(code)
    return operator


def dense_int8(*, activation="INT8", weights="INT8", signature=False):
    """FULLY_CONNECTED from 2 to 3 values, all scales 1, so that outputs are the integer sums.

    Weights [[1, 2], [3, 4], [-5, 6]], bias [10, 0, -10].
    """
    schema = load_schema()
    options = schema.FullyConnectedOptionsT()
    matrix = np.array([[1, 2], [3, 4], [-5, 6]], np.float32 if weights == "FLOAT32" else np.int8)
    tensors = [
        tensor((1, 2), activation, scale=1.0, name="input"),
        tensor((3, 2), weights, data=matrix, scale=1.0, name="weights"),
        tensor((3,), "INT32", data=np.array([10, 0, -10], np.int32), scale=1.0, name="bias"),
        tensor((1, 3), activation, scale=1.0, name="output"),
    ]
    return model(
        tensors,
        [("FULLY_CONNECTED", (0, 1, 2), (3,), options)],
        inputs=[0],
        outputs=[3],
        version=4,
        signature=signature,
    )


def unary(name, *, dtype="INT8", version=1, size=4, options=None):
    """One op from one tensor of (1, size) to another."""
    tensors = [
        tensor((1, size), dtype, scale=1.0, name="input"),
        tensor((1, size), dtype, scale=1.0, name="output"),
    ]
    return model(tensors, [(name, (0,), (1,), options)], inputs=[0], outputs=[1], version=version)
