"""Small Keras models drawn at random from every layer kind that has a rule."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers
from keras_bridge.law import Draw

from edgeprune.graph.layers.activations import ELEMENTWISE

Tensor = Any
# Left out: "threshold" cannot be named without its arguments, and exponentials of exponentials leave float32.
ACTIVATIONS = tuple(name for name in ELEMENTWISE if name not in ("threshold", "exponential", "exp"))
ANY_RANK = (
    "Dense",
    "BatchNormalization",
    "LayerNormalization",
    "Activation",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "PReLU",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "Rescaling",
    "Normalization",
    "Softmax",
    "Reshape",
    "Permute",
    "Flatten",
    "merge",
    "merge",
    "Concatenate",
    "nested",
    "again",
)
IMAGES = (
    "Conv2D",
    "Conv2D",
    "DepthwiseConv2D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalMaxPooling2D",
    "GlobalAveragePooling2D",
    "ZeroPadding2D",
    "Cropping2D",
    "UpSampling2D",
    "SpatialDropout2D",
    "gate",
)
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
LARGEST = 600
"""Elements per sample beyond which a tensor is not widened further: the tests stay fast."""


@dataclass
class Drawing:
    """A model while it is drawn: the tensors that nothing reads yet, and layers that may be called again."""

    draw: Draw
    alive: list[Tensor] = field(default_factory=list)
    older: list[Tensor] = field(default_factory=list)
    callable_again: list[tuple[Any, tuple[int, ...]]] = field(default_factory=list)

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def call(self, layer: Any, x: Any) -> Tensor:
        if not isinstance(x, list):
            self.callable_again.append((layer, tuple(x.shape)))
        return layer(x)

    def step(self) -> None:
        """Takes one tensor on by one layer; sometimes the tensor stays alive, so that graphs branch."""
        index = self.integer(0, len(self.alive) - 1)
        x = self.alive[index]
        special = {4: IMAGES, 3: ("SpatialDropout1D",) * 3}
        kind = self.choose(*ANY_RANK, *special.get(len(x.shape), ()))
        y = self.extend(x, kind)
        self.older.append(x)
        if self.integer(0, 3):
            self.alive[index] = y
        else:
            self.alive.append(y)

    def extend(self, x: Tensor, kind: str) -> Tensor:
        special = {
            "merge": lambda x: self._merge(x, self.choose(*MERGES)),
            **{kind: lambda x, kind=kind: self._merge(x, kind) for kind in MERGES},
            "gate": self._gate,
            "Concatenate": self._concatenate,
            "nested": self._nested,
            "again": self._again,
        }
        if kind in special:
            return special[kind](x)
        return self.call(MAKE[kind](self, x) if kind in MAKE else getattr(layers, kind)(), x)

    def activation(self) -> Any:
        if self.integer(0, 14) == 0:
            return self.choose("softmax", layers.ReLU(max_value=6.0), layers.LeakyReLU(negative_slope=0.1))
        return self.choose(None, "relu", *ACTIVATIONS)

    def _merge(self, x: Tensor, kind: str) -> Tensor:
        """With an older tensor of the same shape if there is one, else with a new branch of x."""
        alike = [t for t in (*self.alive, *self.older) if t is not x and t.shape == x.shape]
        merge = getattr(layers, kind)()
        if alike and self.integer(0, 3):
            return self.call(merge, [x, self.choose(*alike)])
        return self.call(merge, [x, self.call(layers.Dense(x.shape[-1], activation="tanh"), x)])

    def _gate(self, x: Tensor) -> Tensor:
        """Squeeze and excite, or one factor per position."""
        if self.integer(0, 2):
            pooled = self.call(layers.GlobalAveragePooling2D(keepdims=True), x)
            gate = self.call(layers.Conv2D(x.shape[-1], 1, activation="sigmoid"), pooled)
        else:
            gate = self.call(layers.Conv2D(1, 1, activation="sigmoid"), x)
        return self.call(layers.Multiply(), [x, gate])

    def _concatenate(self, x: Tensor) -> Tensor:
        axis = self.choose(-1, -1, *range(1, len(x.shape)))
        axis = axis % len(x.shape)

        def fits(t: Tensor) -> bool:
            return len(t.shape) == len(x.shape) and all(
                a == b for i, (a, b) in enumerate(zip(t.shape, x.shape, strict=True)) if i not in (0, axis)
            )

        others = [t for t in (*self.alive, *self.older) if fits(t) and np.prod(t.shape[1:]) < LARGEST]
        return self.call(layers.Concatenate(axis=axis), [x, self.choose(*others)] if others else [x, x])

    def _nested(self, x: Tensor) -> Tensor:
        inside = keras.Input(x.shape[1:])
        inner = Drawing(draw=self.draw, alive=[inside])
        for _ in range(self.integer(1, 2)):
            kind = self.choose("Dense", "BatchNormalization", "ReLU", "Identity", "Flatten")
            inner.alive = [inner.extend(inner.alive[0], kind)]
        model = keras.Model(inside, inner.alive[0])
        self.callable_again.append((model, tuple(x.shape)))
        return model(x)

    def _again(self, x: Tensor) -> Tensor:
        """Another call of a layer or nested model that has been called on a tensor of this shape."""
        known = [layer for layer, shape in self.callable_again if shape == x.shape]
        return self.choose(*known)(x) if known else self.extend(x, "Dense")


Make = Callable[["Drawing", Tensor], Any]


def _pools(layer: Any) -> Make:
    return lambda d, x: layer(2, strides=d.choose(None, 1), padding="same")


def _conv2d(d: "Drawing", x: Tensor) -> Any:
    size = d.integer(1, 3)
    padding = "same" if size > min(x.shape[1:3]) else d.choose("same", "valid")
    strides, dilation = d.choose((1, 1), (2, 1), (1, 2)) if padding == "same" else (1, 1)
    return layers.Conv2D(
        d.integer(2, 6),
        size,
        strides=strides,
        dilation_rate=dilation,
        padding=padding,
        use_bias=d.choose(True, False),
        activation=d.activation(),
    )


def _depthwise(d: "Drawing", x: Tensor) -> Any:
    return layers.DepthwiseConv2D(
        d.integer(1, 3),
        strides=d.integer(1, 2),
        padding="same",
        depth_multiplier=d.integer(1, 2 if np.prod(x.shape[1:]) < LARGEST else 1),
        use_bias=d.choose(True, False),
        activation=d.activation(),
    )


def _separable(d: "Drawing", x: Tensor) -> Any:
    return layers.SeparableConv2D(
        d.integer(2, 6),
        d.integer(1, 3),
        padding="same",
        depth_multiplier=d.integer(1, 2),
        use_bias=d.choose(True, False),
        activation=d.activation(),
    )


def _batch_norm(d: "Drawing", x: Tensor) -> Any:
    axis = 1 if len(x.shape) == 4 and d.integer(0, 9) == 0 else -1
    return layers.BatchNormalization(axis=axis, scale=d.choose(True, False), center=d.choose(True, False))


def _prelu(d: "Drawing", x: Tensor) -> Any:
    return layers.PReLU(shared_axes=d.choose(None, [1, 2]) if len(x.shape) == 4 else None)


def _up_sampling(d: "Drawing", x: Tensor) -> Any:
    factor = 2 if np.prod(x.shape[1:]) < LARGEST / 4 else 1
    return layers.UpSampling2D(factor, interpolation=d.choose("nearest", "bilinear"))


def _cropping(d: "Drawing", x: Tensor) -> Any:
    rows = (1, 0) if x.shape[1] > 1 else (0, 0)
    return layers.Cropping2D((rows, (0, 1) if x.shape[2] > 1 else (0, 0)))


def _rescaling(d: "Drawing", x: Tensor) -> Any:
    per_channel = np.linspace(0.5, 1.5, x.shape[-1]).tolist()
    return layers.Rescaling(d.choose(0.5, 2.0, 2.0, per_channel), offset=d.choose(0.0, 1.0))


def _reshape(d: "Drawing", x: Tensor) -> Any:
    count = int(np.prod(x.shape[1:]))
    divisors = [n for n in range(1, count + 1) if count % n == 0]
    first = d.choose(*divisors)
    second = d.choose(*[n for n in divisors if (count // first) % n == 0])
    full = (first, second, count // first // second)
    return layers.Reshape(d.choose(full, (first, count // first), (count,), (-1, count // first)))


MAKE: dict[str, Make] = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Dense": lambda d, x: layers.Dense(
        d.integer(2, 8), use_bias=d.choose(True, False), activation=d.activation()
    ),
    "BatchNormalization": _batch_norm,
    "Activation": lambda d, x: layers.Activation(d.activation() or "linear"),
    "ReLU": lambda d, x: layers.ReLU(max_value=d.choose(None, 6.0), threshold=d.choose(0.0, 0.3)),
    "PReLU": _prelu,
    "MaxPooling2D": _pools(layers.MaxPooling2D),
    "AveragePooling2D": _pools(layers.AveragePooling2D),
    "GlobalMaxPooling2D": lambda d, x: layers.GlobalMaxPooling2D(keepdims=d.choose(True, False)),
    "GlobalAveragePooling2D": lambda d, x: layers.GlobalAveragePooling2D(keepdims=d.choose(True, False)),
    "ZeroPadding2D": lambda d, x: layers.ZeroPadding2D(((d.integer(0, 1), 1), (0, d.integer(0, 1)))),
    "Cropping2D": _cropping,
    "UpSampling2D": _up_sampling,
    "Rescaling": _rescaling,
    "Softmax": lambda d, x: layers.Softmax(axis=d.choose(-1, *range(1, len(x.shape)))),
    "Permute": lambda d, x: layers.Permute(d.draw(st.permutations(range(1, len(x.shape))))),
    "Reshape": _reshape,
    **{
        kind: lambda d, x, kind=kind: getattr(layers, kind)(0.3)
        for kind in (
            "Dropout",
            "GaussianDropout",
            "GaussianNoise",
            "AlphaDropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "ActivityRegularization",
        )
    },
}


KINDS = tuple(
    sorted({*ANY_RANK, *IMAGES, *MERGES, "SpatialDropout1D"} - {"merge", "gate", "nested", "again"})
)
"""The layer kinds that `build_model` can be asked for."""


def build_model(draw: Draw, wished: str) -> keras.Model:
    """A model with one or two inputs and one or more outputs; it holds a layer of the kind wished for."""
    side = draw(st.integers(4, 6))
    shapes = [(side, side, 2), (side, 4, 3), (side, 4, 3), (5,), (4, 3)]
    if wished in IMAGES:
        shapes = shapes[:3]
    elif wished == "SpatialDropout1D":
        shapes = shapes[4:]
    shape = draw(st.sampled_from(shapes))
    inputs = [keras.Input(shape) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    drawing = Drawing(draw=draw)
    for tensor in inputs:
        # Two layers, so that there is always something between them that may go.
        image = len(shape) == 3
        stem = drawing.call(layers.Conv2D(4, 3, padding="same") if image else layers.Dense(6), tensor)
        drawing.alive.append(drawing.call(layers.Conv2D(5, 1) if image else layers.Dense(6), stem))
    index = draw(st.integers(0, len(drawing.alive) - 1))
    drawing.alive[index] = drawing.extend(drawing.alive[index], wished)
    for _ in range(draw(st.integers(1, 5))):
        drawing.step()
    outputs = []
    for tensor in drawing.alive:
        if draw(st.integers(0, 9)):
            if len(tensor.shape) > 2:
                tensor = drawing.call(layers.Flatten(), tensor)
            tensor = drawing.call(layers.Dense(3), tensor)
        outputs.append(tensor)
    return keras.Model(inputs, outputs)
