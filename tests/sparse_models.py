"""Small int8 models with many zeros among their weights, for the tests of encodings."""

import numpy as np
from small_models import model, tensor

from edgeprune.tflite.compress import find_candidates
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack

KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def one_layer(kind, *, channels=16, palette=None, seed=0, dtype="INT8"):
    """One op over 8x8x8 values (64 for FULLY_CONNECTED); 80 % of its weights are zero.

    Args:
        kind: one of `KINDS`.
        channels: outputs; 8 for DEPTHWISE_CONV_2D.
        palette: the values weights are drawn from, instead.
        seed: of the weights.
        dtype: of activations; weights are FLOAT32 with FLOAT32, else INT8.
    """
    schema, generator = load_schema(), np.random.default_rng(seed)
    channels = 8 if kind == "DEPTHWISE_CONV_2D" else channels
    shape, axis, made = {
        "CONV_2D": ((channels, 3, 3, 8), 0, (1, 8, 8, channels)),
        "DEPTHWISE_CONV_2D": ((1, 3, 3, channels), 3, (1, 8, 8, channels)),
        "FULLY_CONNECTED": ((channels, 64), 0, (1, channels)),
        "TRANSPOSE_CONV": ((channels, 3, 3, 8), 0, (1, 16, 16, channels)),
    }[kind]
    options = {
        "CONV_2D": schema.Conv2DOptionsT,
        "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptionsT,
        "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
        "TRANSPOSE_CONV": schema.TransposeConvOptionsT,
    }[kind]()
    if kind != "FULLY_CONNECTED":
        options.strideH = options.strideW = 2 if kind == "TRANSPOSE_CONV" else 1
    if kind == "DEPTHWISE_CONV_2D":
        options.depthMultiplier = 1
    if palette is None:
        weights = generator.integers(-127, 128, shape) * (generator.random(shape) < 0.2)
    else:
        weights = generator.choice(palette, shape)
    is_float = dtype == "FLOAT32"
    scales = None if is_float else np.full(channels, 0.01)
    tensors = [
        tensor((1, 64) if kind == "FULLY_CONNECTED" else (1, 8, 8, 8), dtype, scale=0.05, name="input"),
        tensor(
            shape,
            "FLOAT32" if is_float else "INT8",
            data=weights.astype(np.float32 if is_float else np.int8),
            scale=scales,
            name="weights",
        ),
        tensor(
            (channels,),
            "FLOAT32" if is_float else "INT32",
            data=np.arange(channels, dtype=np.float32 if is_float else np.int32),
            scale=None if is_float else scales * 0.05,
            name="bias",
        ),
        tensor(made, dtype, scale=0.1, name="output"),
    ]
    if kind == "TRANSPOSE_CONV":
        tensors.append(tensor((4,), "INT32", data=np.array(made, np.int32), name="shape"))
    if not is_float:
        tensors[1].quantization.quantizedDimension = axis
    inputs = (4, 1, 0, 2) if kind == "TRANSPOSE_CONV" else (0, 1, 2)
    return model(tensors, [(kind, inputs, (3,), options)], inputs=[0], outputs=[3])


def two_readers():
    """Two FULLY_CONNECTED ops of 64 values with the same weights, one behind the other."""
    schema, generator = load_schema(), np.random.default_rng(3)
    weights = (generator.integers(-127, 128, (64, 64)) * (generator.random((64, 64)) < 0.2)).astype(np.int8)
    tensors = [
        tensor((1, 64), scale=0.05, name="input"),
        tensor((64, 64), data=weights, scale=0.01, name="weights"),
        tensor((1, 64), scale=0.1, name="between"),
        tensor((1, 64), scale=0.1, name="output"),
    ]
    ops = [
        ("FULLY_CONNECTED", (0, 1, -1), (2,), schema.FullyConnectedOptionsT()),
        ("FULLY_CONNECTED", (2, 1, -1), (3,), schema.FullyConnectedOptionsT()),
    ]
    return model(tensors, ops, inputs=[0], outputs=[3])


def sparsify(tflite, sparsity):
    """The file with the smallest int8 weights of each tensor set to zero."""

    def zero_smallest(values):
        smallest = np.argsort(np.abs(values.astype(int)), kind="stable")
        values[smallest[: int(sparsity * values.size)]] = 0
        return values

    return _change_weights(tflite, zero_smallest)


def cluster(tflite, step):
    """The file with its int8 weights moved to the middle of intervals `step` wide: 256 / step values."""
    return _change_weights(tflite, lambda values: values // step * step + step // 2)


def _change_weights(tflite, change):
    schema, before = load_schema(), read_model(tflite, where="dense")
    packed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    for candidate in find_candidates(before):
        constant = before.tensors[candidate.tensors[0]]
        if constant.dtype == "int8" and not candidate.obstacle:
            values = change(constant.data.view(np.int8).copy()).astype(np.int8)
            packed.buffers[constant.buffer].data = values.view(np.uint8)
    return pack(packed)


def random_inputs(tflite, count=5):
    """One array of samples for each input."""
    generator = np.random.default_rng(1)
    arrays = []
    for entry in read_model(tflite, where="model").inputs:
        shape = (count, *entry.shape[1:])
        if entry.dtype == "float32":
            arrays.append(generator.normal(size=shape).astype(np.float32))
        else:
            limits = np.iinfo(entry.dtype)
            arrays.append(generator.integers(limits.min, limits.max + 1, shape).astype(entry.dtype))
    return tuple(arrays)
