"""Small float models of the shapes that XNNPACK's sparse kernels take, or do not take; built in memory."""

from dataclasses import dataclass, field

import numpy as np
from small_models import model, tensor

from edgeprune.tflite.schema import load_schema


@dataclass
class Network:
    """Ops one behind the other; `here` is the tensor that was made last."""

    size: int = 32
    channels: int = 3
    sparsity: float = 0.8
    dtype: str = "FLOAT32"
    tensors: list = field(default_factory=list)
    ops: list = field(default_factory=list)
    here: int = 0

    def __post_init__(self):
        self.generator = np.random.default_rng(0)
        self._add((1, self.size, self.size, self.channels), name="input")

    def shape(self, index=None):
        return tuple(int(n) for n in self.tensors[self.here if index is None else index].shape)

    def pad(self, *sides):
        """Zeros around the image: (top, bottom, left, right)."""
        top, bottom, left, right = sides
        batch, height, width, channels = self.shape()
        amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        made = (batch, height + top + bottom, width + left + right, channels)
        return self._op("PAD", [self.here, self._constant(amounts)], made, load_schema().PadOptionsT())

    def conv(self, outputs, *, kernel=1, stride=1, padding="SAME", relu6=True):
        options = load_schema().Conv2DOptionsT()
        weights = self._weights((outputs, kernel, kernel, self.shape()[3]), sparse=kernel == 1)
        return self._window("CONV_2D", options, weights, outputs, kernel, stride, padding, relu6)

    def depthwise(self, *, kernel=3, stride=1, padding="SAME"):
        options = load_schema().DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        outputs = self.shape()[3]
        weights = self._weights((1, kernel, kernel, outputs), sparse=False)
        return self._window("DEPTHWISE_CONV_2D", options, weights, outputs, kernel, stride, padding, True)

    def max_pool(self):
        options = load_schema().Pool2DOptionsT()
        options.filterHeight = options.filterWidth = options.strideH = options.strideW = 2
        batch, height, width, channels = self.shape()
        return self._op("MAX_POOL_2D", [self.here], (batch, height // 2, width // 2, channels), options)

    def add(self, other):
        """The tensor plus another one."""
        return self._op("ADD", [other, self.here], self.shape(), load_schema().AddOptionsT())

    def unary(self, name):
        return self._op(name, [self.here], self.shape(), None)

    def mean(self, *, keep_dims=False):
        options = load_schema().ReducerOptionsT()
        options.keepDims = keep_dims
        batch, _, _, channels = self.shape()
        made = (batch, 1, 1, channels) if keep_dims else (batch, channels)
        axes = self._constant(np.array([1, 2], np.int32))
        return self._op("MEAN", [self.here, axes], made, options)

    def dense(self, outputs, *, sparse=False):
        weights = self._weights((outputs, self.shape()[-1]), sparse=sparse)
        inputs = [self.here, weights, self._bias(outputs)]
        return self._op("FULLY_CONNECTED", inputs, (1, outputs), load_schema().FullyConnectedOptionsT())

    def reshape(self, made):
        shape = self._constant(np.array(made, np.int32))
        options = load_schema().ReshapeOptionsT()
        options.newShape = np.array(made, np.int32)
        return self._op("RESHAPE", [self.here, shape], made, options)

    def build(self):
        return model(self.tensors, self.ops, inputs=[0], outputs=[self.here])

    def _window(self, name, options, weights, outputs, kernel, stride, padding, relu6):
        schema = load_schema()
        options.strideH = options.strideW = stride
        options.padding = getattr(schema.Padding, padding)
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6 if relu6 else 0
        batch, height, width, _ = self.shape()
        lost = 0 if padding == "SAME" else kernel - 1
        made = (batch, -(-(height - lost) // stride), -(-(width - lost) // stride), outputs)
        return self._op(name, [self.here, weights, self._bias(outputs)], made, options)

    def _op(self, name, inputs, made, options):
        self.here = self._add(made, name=f"{name.lower()}_{len(self.ops)}")
        self.ops.append((name, inputs, (self.here,), options))
        return self.here

    def _weights(self, shape, *, sparse):
        values = self.generator.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        if sparse:
            cut = np.quantile(np.abs(values), self.sparsity) if self.sparsity else -1
            values[np.abs(values) <= cut] = 0
        if self.dtype == "INT8":
            return self._constant(np.rint(values * 100).astype(np.int8), scale=0.01)
        return self._constant(values.astype(np.float32))

    def _bias(self, outputs):
        kind = np.int32 if self.dtype == "INT8" else np.float32
        return self._constant(np.zeros(outputs, kind), scale=0.0005)

    def _constant(self, values, *, scale=None):
        dtype = {"f": "FLOAT32", "i": f"INT{8 * values.itemsize}"}[values.dtype.kind]
        scale = scale if self.dtype == "INT8" else None
        self.tensors.append(
            tensor(values.shape, dtype, data=values, scale=scale, name=f"c{len(self.tensors)}")
        )
        return len(self.tensors) - 1

    def _add(self, shape, *, name):
        scale = 0.05 if self.dtype == "INT8" else None
        self.tensors.append(tensor(shape, self.dtype, scale=scale, name=name))
        return len(self.tensors) - 1


def mobilenet(*, size=32, width=16, blocks=((32, 1), (64, 2), (64, 1)), classes=10, **settings):
    """A small MobileNetV2 whose strided convolutions pad one pixel on each side, as XNNPACK wants it.

    Args:
        size: of the image.
        width: channels of the first convolution.
        blocks: (channels, stride) each: expansion by 3, depthwise, projection, an addition where it fits.
        classes: outputs.
        settings: see `Network`.
    """
    net = Network(size=size, **settings)
    net.pad(1, 1, 1, 1)
    net.conv(width, kernel=3, stride=2, padding="VALID")
    for channels, stride in blocks:
        before, at = net.shape()[3], net.here
        net.conv(before * 3)
        if stride == 2:
            net.pad(1, 1, 1, 1)
        net.depthwise(stride=stride, padding="VALID" if stride == 2 else "SAME")
        net.conv(channels, relu6=False)
        if stride == 1 and before == channels:
            net.add(at)
    net.conv(net.shape()[3] * 2)
    net.mean()
    net.dense(classes)
    return net.build()
