"""How a layer of each kind is drawn: random arguments that fit the tensor it is called on."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras_bridge.drawing import Chooser

from edgeprune.graph.layers.activations import ELEMENTWISE

Tensor = Any
MakeLayer = Callable[[Chooser, Tensor], Any]
# Left out: "threshold" cannot be named without its arguments, and exponentials of exponentials leave float32.
ACTIVATIONS = tuple(name for name in ELEMENTWISE if name not in ("threshold", "exponential", "exp"))
LARGEST = 600
"""Elements per sample beyond which a tensor is not widened further: the tests stay fast."""
RANKS = (1, 2, 3)


def draw_activation(c: Chooser) -> Any:
    if c.integer(0, 14) == 0:
        return c.choose("softmax", layers.ReLU(max_value=6.0), layers.LeakyReLU(negative_slope=0.1))
    return c.choose(None, "relu", *ACTIVATIONS)


def _rank(x: Tensor) -> int:
    return len(x.shape) - 2


def _roomy(x: Tensor, factor: int = 1) -> bool:
    return bool(np.prod(x.shape[1:]) * factor < LARGEST)


def _shared(c: Chooser) -> dict[str, Any]:
    return {"use_bias": c.choose(True, False), "activation": draw_activation(c)}


def _conv(c: Chooser, x: Tensor) -> Any:
    size = c.integer(1, 3)
    small = size > min(x.shape[1:-1])
    padding = "same" if small else c.choose("same", "valid")
    strides, dilation = c.choose((1, 1), (2, 1), (1, 2)) if padding == "same" else (1, 1)
    if _rank(x) == 1 and strides == 1 and c.integer(0, 1):
        padding = "causal"
    groups = c.choose(1, *(n for n in range(1, x.shape[-1] + 1) if x.shape[-1] % n == 0 and _rank(x) < 3))
    return getattr(layers, f"Conv{_rank(x)}D")(
        groups * c.integer(1, 3) if groups > 1 else c.integer(2, 6),
        size,
        groups=groups,
        strides=strides,
        dilation_rate=dilation,
        padding=padding,
        **_shared(c),
    )


def _transposed(c: Chooser, x: Tensor) -> Any:
    return getattr(layers, f"Conv{_rank(x)}DTranspose")(
        c.integer(2, 6),
        c.integer(1, 3),
        strides=c.integer(1, 2) if _roomy(x, 8) else 1,
        padding=c.choose("same", "valid") if _roomy(x, 8) else "same",
        **_shared(c),
    )


def _depthwise(c: Chooser, x: Tensor) -> Any:
    return getattr(layers, f"DepthwiseConv{_rank(x)}D")(
        c.integer(1, 3),
        strides=c.integer(1, 2),
        padding="same",
        depth_multiplier=c.integer(1, 2 if _roomy(x) else 1),
        **_shared(c),
    )


def _separable(c: Chooser, x: Tensor) -> Any:
    return getattr(layers, f"SeparableConv{_rank(x)}D")(
        c.integer(2, 6), c.integer(1, 3), padding="same", depth_multiplier=c.integer(1, 2), **_shared(c)
    )


def _spectral(c: Chooser, x: Tensor) -> Any:
    return layers.SpectralNormalization(layers.Dense(c.integer(2, 6), **_shared(c)))


def _batch_norm(c: Chooser, x: Tensor) -> Any:
    axis = c.integer(1, len(x.shape) - 1) if c.integer(0, 4) == 0 else -1
    return layers.BatchNormalization(axis=axis, scale=c.choose(True, False), center=c.choose(True, False))


def _layer_norm(c: Chooser, x: Tensor) -> Any:
    axis = c.choose(-1, -1, len(x.shape) - 1, [*range(1, len(x.shape))], 1)
    return layers.LayerNormalization(axis=axis, scale=c.choose(True, False), center=c.choose(True, False))


def _group_norm(c: Chooser, x: Tensor) -> Any:
    axis = c.choose(-1, -1, -1, 1)
    divisors = [n for n in range(1, x.shape[axis] + 1) if x.shape[axis] % n == 0]
    return layers.GroupNormalization(
        c.choose(-1, *divisors), axis=axis, scale=c.choose(True, False), center=c.choose(True, False)
    )


def _prelu(c: Chooser, x: Tensor) -> Any:
    return layers.PReLU(shared_axes=c.choose(None, [*range(1, len(x.shape) - 1)]) if _rank(x) else None)


def _rescaling(c: Chooser, x: Tensor) -> Any:
    per_channel = np.linspace(0.5, 1.5, x.shape[-1]).tolist()
    return layers.Rescaling(c.choose(0.5, 2.0, 2.0, per_channel), offset=c.choose(0.0, 1.0))


def _pool(c: Chooser, x: Tensor, kind: str) -> Any:
    return getattr(layers, kind)(2, strides=c.choose(None, 1), padding="same")


def _adaptive(c: Chooser, x: Tensor, kind: str) -> Any:
    # A maximum over everything (size 1) kills the process in Keras 3.15 on TensorFlow.
    return getattr(layers, kind)(c.integer(2, max(2, *x.shape[1:-1])))


def _up_sampling(c: Chooser, x: Tensor) -> Any:
    factor = 2 if _roomy(x, 2 ** _rank(x)) else 1
    more = {"interpolation": c.choose("nearest", "bilinear")} if _rank(x) == 2 else {}
    return getattr(layers, f"UpSampling{_rank(x)}D")(factor, **more)


def _zero_padding(c: Chooser, x: Tensor) -> Any:
    sides = tuple((c.integer(0, 1), 1) for _ in range(_rank(x)))
    return getattr(layers, f"ZeroPadding{_rank(x)}D")(sides[0] if _rank(x) == 1 else sides)


def _cropping(c: Chooser, x: Tensor) -> Any:
    sides = tuple(c.choose((1, 0), (0, 1)) if size > 1 else (0, 0) for size in x.shape[1:-1])
    return getattr(layers, f"Cropping{_rank(x)}D")(sides[0] if _rank(x) == 1 else sides)


def _reshape(c: Chooser, x: Tensor) -> Any:
    count = int(np.prod(x.shape[1:]))
    divisors = [n for n in range(1, count + 1) if count % n == 0]
    first = c.choose(*divisors)
    second = c.choose(*[n for n in divisors if (count // first) % n == 0])
    full = (first, second, count // first // second)
    return layers.Reshape(c.choose(full, (first, count // first), (count,), (-1, count // first)))


def _each_rank(pattern: str, make: Callable[[Chooser, Tensor], Any], ranks: tuple[int, ...] = RANKS) -> Any:
    return {pattern.format(rank): (make, (rank,)) for rank in ranks}


def _plain(kind: str, *arguments: Any, ranks: tuple[int, ...] = (0, *RANKS)) -> Any:
    return {kind: (lambda c, x: getattr(layers, kind)(*arguments), ranks)}


def _pools() -> Any:
    found: dict[str, Any] = {}
    for rank in RANKS:
        for name in ("Max", "Average"):
            kind = f"{name}Pooling{rank}D"
            found[kind] = (lambda c, x, kind=kind: _pool(c, x, kind), (rank,))
            found[f"Adaptive{kind}"] = (lambda c, x, kind=kind: _adaptive(c, x, f"Adaptive{kind}"), (rank,))
            found[f"Global{kind}"] = (
                lambda c, x, kind=kind: getattr(layers, f"Global{kind}")(keepdims=c.choose(True, False)),
                (rank,),
            )
    return found


MAKE: dict[str, tuple[MakeLayer, tuple[int, ...]]] = {
    **_each_rank("Conv{}D", _conv),
    **_each_rank("Conv{}DTranspose", _transposed),
    **_each_rank("DepthwiseConv{}D", _depthwise, (1, 2)),
    **_each_rank("SeparableConv{}D", _separable, (1, 2)),
    **_each_rank("UpSampling{}D", _up_sampling),
    **_each_rank("ZeroPadding{}D", _zero_padding),
    **_each_rank("Cropping{}D", _cropping),
    **_pools(),
    "Dense": (lambda c, x: layers.Dense(c.integer(2, 8), **_shared(c)), (0, *RANKS)),
    "SpectralNormalization": (_spectral, (0, *RANKS)),
    "BatchNormalization": (_batch_norm, (0, *RANKS)),
    "LayerNormalization": (_layer_norm, (0, *RANKS)),
    "GroupNormalization": (_group_norm, (0, *RANKS)),
    "RMSNormalization": (lambda c, x: layers.RMSNormalization(epsilon=c.choose(1e-6, 0.1)), (0, *RANKS)),
    "UnitNormalization": (
        lambda c, x: layers.UnitNormalization(axis=c.choose(-1, [*range(1, len(x.shape))])),
        (0, *RANKS),
    ),
    "Rescaling": (_rescaling, (0, *RANKS)),
    "Activation": (lambda c, x: layers.Activation(draw_activation(c) or "linear"), (0, *RANKS)),
    "ReLU": (
        lambda c, x: layers.ReLU(max_value=c.choose(None, 6.0), threshold=c.choose(0.0, 0.3)),
        (0, *RANKS),
    ),
    "PReLU": (_prelu, (0, *RANKS)),
    "Softmax": (lambda c, x: layers.Softmax(axis=c.choose(-1, *range(1, len(x.shape)))), (0, *RANKS)),
    "Permute": (lambda c, x: layers.Permute(c.order(len(x.shape) - 1)), (0, *RANKS)),
    "Reshape": (_reshape, (0, *RANKS)),
    **_plain("LeakyReLU"),
    **_plain("ELU"),
    **_plain("Identity"),
    **_plain("Normalization"),
    **_plain("Flatten"),
    **_plain("Dropout", 0.3),
    **_plain("GaussianDropout", 0.3),
    **_plain("GaussianNoise", 0.3),
    **_plain("AlphaDropout", 0.3),
    **_plain("ActivityRegularization", 0.3),
    **_plain("SpatialDropout1D", 0.3, ranks=(1,)),
    **_plain("SpatialDropout2D", 0.3, ranks=(2,)),
    **_plain("SpatialDropout3D", 0.3, ranks=(3,)),
    **_plain("RandomFlip", ranks=(2,)),
    **_plain("RandomRotation", 0.2, ranks=(2,)),
    **_plain("RandomZoom", 0.2, ranks=(2,)),
    **_plain("Resizing", 4, 5, ranks=(2,)),
    "CenterCrop": (lambda c, x: layers.CenterCrop(x.shape[1], max(x.shape[2] - 1, 1)), (2,)),
    "keras.src.applications.convnext.LayerScale": (lambda c, x: LayerScale(0.5, x.shape[-1]), (0, *RANKS)),
    "keras.src.applications.convnext.StochasticDepth": (lambda c, x: StochasticDepth(0.2), (0, *RANKS)),
}
"""Layer kind → how it is made for a tensor, and the numbers of axes besides batch and channels it takes."""
