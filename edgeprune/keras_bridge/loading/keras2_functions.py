"""TensorFlow functions that Keras 2 filed as layers ("TFOpLambda"), in terms of `keras.ops`.

One entry per function, under the last part of its name: "nn.relu6" and "compat.v1.nn.relu6" are `relu6`.
The first argument is the tensor, the others have TensorFlow's names; those that are None, and `name`, are
left out before the call. Arrays arrive as nested lists.

`tf.shape(x)` gives a plain list that begins with a `Batch`, and arithmetic on such sizes is done here and
now, so that `tf.reshape(x, (tf.shape(x)[0], 49, -1))` becomes an ordinary reshape. A constant that is
repeated for each sample, as the anchors of a detector are, becomes a sum with zeros of that batch.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.constants import repeat_constant

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The number of samples, or a number that is computed from it.

    Attributes:
        of: a tensor with as many samples; None for other numbers.
    """

    of: Any = None

    def repeat(self, constant: Array) -> Any:
        """A tensor with the constant, (1, ...), for each sample. Raises ValueError for other numbers."""
        if self.of is None or constant.shape[:1] != (1,):
            raise ValueError("a constant that is repeated as often as was computed from the batch")
        return repeat_constant(constant, like=self.of)


def translate_call(function: str, first: Any, arguments: dict[str, Any]) -> Any:
    """What the TensorFlow function gives, as Keras tensors.

    Args:
        function: its name as Keras 2 filed it: "math.add", "__operators__.getitem".
        first: its first argument: a Keras tensor, a list of them, or a constant.
        arguments: all others, by TensorFlow's names.

    Raises:
        LookupError: there is no translation.
        TypeError, ValueError: the arguments are not those that have one.
    """
    name = function.removeprefix("compat.v1.")
    known = FUNCTIONS.get(name) or FUNCTIONS.get(name.rpartition(".")[2])
    if known is None:
        raise LookupError(function)
    given = {key: value for key, value in arguments.items() if value is not None and key != "name"}
    return known(first, **given)


def is_tensor(value: Any) -> bool:
    """Whether a value is computed by the model."""
    return isinstance(value, keras.KerasTensor)


def _constant(value: Any, *, like: Any) -> Any:
    """A number as it is, a list as an array of the type of the tensor that it meets."""
    if is_tensor(value) or not isinstance(value, list):
        return value
    return np.asarray(value, like.dtype if is_tensor(like) else np.float32)


def _binary(of_tensors: Function, of_sizes: Function, *, swapped: bool = False) -> Function:
    def call(x: Any, y: Any) -> Any:
        x, y = (y, x) if swapped else (x, y)
        if is_tensor(x) or is_tensor(y):
            return of_tensors(_constant(x, like=y), _constant(y, like=x))
        return Batch() if isinstance(x, Batch) or isinstance(y, Batch) else of_sizes(x, y)

    return call


def _reduction(function: Function) -> Function:
    def call(x: Any, axis: Any = None, keepdims: bool = False, **old: Any) -> Any:
        axis = old.pop("reduction_indices", axis)
        keepdims = old.pop("keep_dims", keepdims)
        if old:
            raise TypeError(f"unknown arguments: {', '.join(old)}")
        if not is_tensor(x) and isinstance(x, list):  # the elements of a shape
            return Batch() if _has_batch(x) else int(np.prod(x))
        return function(x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims)

    return call


def _concat(values: Any, axis: int = 0) -> Any:
    if not any(map(is_tensor, values)):
        return [item for value in values for item in value]
    like = next(value for value in values if is_tensor(value))
    return ops.concatenate([_constant(value, like=like) for value in values], axis=axis)


def _stack(values: Any, axis: int = 0) -> Any:
    return ops.stack(values, axis=axis) if any(map(is_tensor, values)) else list(values)


def _reshape(tensor: Any, shape: Any) -> Any:
    sizes = [-1 if _is_open(size) else int(size) for size in _flat(shape)]
    if sizes.count(-1) > 1 and sizes[0] == -1:
        # The batch was computed, another size was left open: that one follows from the rest.
        rest = int(np.prod([size for size in sizes if size != -1]))
        total = int(np.prod(tensor.shape[1:]))
        sizes = [-1, *(total // rest if size == -1 else size for size in sizes[1:])]
    return ops.reshape(tensor, sizes)


def _is_open(size: Any) -> bool:
    return size is None or isinstance(size, Batch)


def _has_batch(sizes: Any) -> bool:
    return isinstance(sizes, list) and any(map(_is_open, sizes))


def _flat(shape: Any) -> list[Any]:
    return [shape] if isinstance(shape, int) else list(shape)


def _split(value: Any, num_or_size_splits: Any, axis: int = 0) -> Any:
    if isinstance(num_or_size_splits, list):
        return ops.split(value, np.cumsum(num_or_size_splits)[:-1].tolist(), axis=axis)
    return ops.split(value, num_or_size_splits, axis=axis)


def _squeeze(x: Any, axis: Any = None, **old: Any) -> Any:
    axis = old.pop("squeeze_dims", axis)
    if axis is None or axis == []:
        axis = [i for i, size in enumerate(x.shape) if size == 1]
    for one in sorted((a % len(x.shape) for a in _flat(axis)), reverse=True):
        x = ops.squeeze(x, axis=one)
    return x


def _pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: float = 0) -> Any:
    value = {"constant_values": constant_values} if mode.upper() == "CONSTANT" and constant_values else {}
    return ops.pad(tensor, [tuple(pair) for pair in paddings], mode=mode.lower(), **value)


def _get_item(x: Any, slice_spec: Any) -> Any:
    key = _key(slice_spec)
    if is_tensor(x):
        return x[key]
    return x[key[0] if isinstance(key, tuple) else key]


def _key(spec: Any) -> Any:
    if isinstance(spec, list):
        return tuple(_key(part) for part in spec)
    if isinstance(spec, dict):
        if "start" in spec:
            return slice(spec["start"], spec["stop"], spec["step"])
        return Ellipsis
    return spec


def _strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    *,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Any:
    key: list[Any] = []
    for i, (start, stop) in enumerate(zip(begin, end, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            key.append(Ellipsis)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            key.append(start)
        else:
            step = strides[i] if strides else None
            key.append(slice(None if begin_mask & bit else start, None if end_mask & bit else stop, step))
    return input_[tuple(key)]


def _slice(input_: Any, begin: Any, size: Any) -> Any:
    return input_[tuple(slice(b, None if n == -1 else b + n) for b, n in zip(begin, size, strict=True))]


def _where(condition: Any, x: Any, y: Any) -> Any:
    like = x if is_tensor(x) else y
    return ops.where(condition, _constant(x, like=like), _constant(y, like=like))


def _clip(t: Any, clip_value_min: Any, clip_value_max: Any) -> Any:
    return ops.clip(t, clip_value_min, clip_value_max)


def _relu(features: Any, alpha: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> Any:
    return keras.activations.relu(features, negative_slope=alpha, max_value=max_value, threshold=threshold)


def _leaky_relu(features: Any, alpha: float = 0.2) -> Any:
    return ops.leaky_relu(features, negative_slope=alpha)


def _matmul(a: Any, b: Any, **flags: Any) -> Any:
    a, b = _constant(a, like=b), _constant(b, like=a)
    for flag, value in flags.items():
        if value and flag not in ("transpose_a", "transpose_b"):
            raise ValueError(f"{flag}={value}")
    if flags.get("transpose_a"):
        a = ops.swapaxes(a, -1, -2) if is_tensor(a) else np.swapaxes(a, -1, -2)
    if flags.get("transpose_b"):
        b = ops.swapaxes(b, -1, -2) if is_tensor(b) else np.swapaxes(b, -1, -2)
    return ops.matmul(a, b)


def _transpose(a: Any, perm: Any = None, conjugate: bool = False) -> Any:
    return ops.transpose(a, perm)


def _cast(x: Any, dtype: Any) -> Any:
    if not is_tensor(x):
        return x
    return ops.cast(x, dtype if isinstance(dtype, str) else dtype["config"]["name"])


def _resize(images: Any, size: Any, method: str = "bilinear", **flags: Any) -> Any:
    if any(
        flags.pop(flag, False) for flag in ("align_corners", "preserve_aspect_ratio", "half_pixel_centers")
    ):
        raise ValueError("corners that are aligned, or a preserved aspect ratio")
    size = [int(n) for n in size]
    method = {0: "bilinear", 1: "nearest", 2: "bicubic", 3: "area"}.get(method, method)  # type: ignore[call-overload]
    return ops.image.resize(
        images, size, interpolation=str(method), antialias=bool(flags.get("antialias", False))
    )


def _resize_nearest(images: Any, size: Any, **flags: Any) -> Any:
    """TensorFlow 1's function; whole factors are where its corners do not matter."""
    if any(flags.values()) or any(n % old for n, old in zip(size, images.shape[1:3], strict=True)):
        raise ValueError("nearest neighbours of TensorFlow 1, by a factor that is not whole")
    return ops.image.resize(images, [int(n) for n in size], interpolation="nearest")


def _normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, dim: Any = None) -> Any:
    axis = dim if axis is None else axis
    axis = tuple(axis) if isinstance(axis, list) else axis
    # As TensorFlow has it: x / sqrt(max(sum(x²), epsilon)).
    return x * ops.rsqrt(ops.maximum(ops.sum(x * x, axis=axis, keepdims=True), epsilon))


def _pool(function: Function) -> Function:
    def call(
        input_: Any = None, ksize: Any = 2, strides: Any = None, padding: str = "VALID", **rest: Any
    ) -> Any:
        if rest.pop("data_format", "NHWC") != "NHWC" or rest:
            raise ValueError("a data format other than NHWC")
        return function(input_, _spatial(ksize), strides=_spatial(strides or ksize), padding=padding.lower())

    return call


def _spatial(sizes: Any) -> Any:
    sizes = _flat(sizes)
    return tuple(sizes[1:3]) if len(sizes) == 4 else sizes[0] if len(sizes) == 1 else tuple(sizes)


def _moments(x: Any, axes: Any, keepdims: bool = False, **old: Any) -> Any:
    keepdims = old.pop("keep_dims", keepdims)
    axes = tuple(axes)
    return [ops.mean(x, axis=axes, keepdims=keepdims), ops.var(x, axis=axes, keepdims=keepdims)]


def _bias_add(value: Any, bias: Any, data_format: str = "NHWC") -> Any:
    if not data_format.endswith("C"):
        raise ValueError(f"data_format={data_format}")
    return ops.add(value, _constant(bias, like=value))


def _batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any = None, scale: Any = None, variance_epsilon: float = 1e-3
) -> Any:
    mean, variance = _constant(mean, like=x), _constant(variance, like=x)
    factor = (
        ops.rsqrt(variance + variance_epsilon)
        if is_tensor(variance)
        else 1 / np.sqrt(variance + variance_epsilon)
    )
    y = (x - mean) * factor
    y = y if scale is None else y * _constant(scale, like=x)
    return y if offset is None else y + _constant(offset, like=x)


def _shape(input_: Any, **rest: Any) -> list[Any]:
    return [Batch(input_), *input_.shape[1:]]


def _tile(input_: Any, multiples: Any) -> Any:
    counts = [1 if _is_open(n) else n for n in multiples]
    if is_tensor(input_):
        return ops.tile(input_, counts)
    tiled = np.tile(_narrow(input_), counts)
    return multiples[0].repeat(tiled) if isinstance(multiples[0], Batch) else tiled.tolist()


def _broadcast_to(input_: Any, shape: Any) -> Any:
    if is_tensor(input_):
        # A batch stays as it is: that of the input is the one of the shape, or 1 and spread by what follows.
        like = np.zeros([1 if _is_open(n) else n for n in shape], np.float32)
        return ops.add(input_, ops.cast(like, input_.dtype))
    made = np.broadcast_to(_narrow(input_), [1 if _is_open(n) else n for n in shape])
    return shape[0].repeat(made) if isinstance(shape[0], Batch) else made.tolist()


def _fill(dims: Any, value: Any) -> Any:
    return _broadcast_to(value, _flat(dims))


def _narrow(constant: Any) -> Array:
    """Constants are nested lists in a file, which does not tell their type."""
    array = np.asarray(constant)
    kinds: dict[str, Any] = {"f": np.float32, "i": np.int32}
    return array.astype(kinds.get(array.dtype.kind, array.dtype))


def _squared_difference(x: Any, y: Any) -> Any:
    return ops.square(_binary(ops.subtract, operator.sub)(x, y))


def _unstack(value: Any, num: Any = None, axis: int = 0) -> Any:
    return ops.unstack(value, num=num, axis=axis) if is_tensor(value) else list(value)


def _gather(params: Any, indices: Any, axis: int = 0, batch_dims: int = 0, **rest: Any) -> Any:
    if batch_dims or not is_tensor(params):
        raise ValueError("gathered from a constant, or sample by sample")
    return ops.take(params, np.asarray(indices) if isinstance(indices, list) else indices, axis=axis)


def _depth_to_space(function: Function) -> Function:
    def call(input_: Any, block_size: int, data_format: str = "NHWC") -> Any:
        if data_format != "NHWC":
            raise ValueError(f"data_format={data_format}")
        return function(input_, block_size)

    return call


def _unary(function: Function) -> Function:
    return lambda x: function(x)


def _along(function: Function) -> Function:
    return lambda logits, axis=-1, dim=None: function(logits, axis=axis if dim is None else dim)


def _drop_rest(x: Any, **rest: Any) -> Any:
    return x


FUNCTIONS: dict[str, Function] = {
    **{name: _binary(ops.add, operator.add) for name in ("add", "add_v2")},
    **{name: _binary(ops.subtract, operator.sub) for name in ("subtract", "sub")},
    **{name: _binary(ops.multiply, operator.mul) for name in ("multiply", "mul")},
    **{name: _binary(ops.true_divide, operator.truediv) for name in ("truediv", "divide", "div", "realdiv")},
    **{name: _binary(ops.floor_divide, operator.floordiv) for name in ("floordiv", "floor_div")},
    **{name: _binary(ops.mod, operator.mod) for name in ("mod", "floormod")},
    "divide_no_nan": _binary(ops.divide_no_nan, operator.truediv),
    "pow": _binary(ops.power, operator.pow),
    "maximum": _binary(ops.maximum, max),
    "minimum": _binary(ops.minimum, min),
    "radd": _binary(ops.add, operator.add, swapped=True),
    "rsub": _binary(ops.subtract, operator.sub, swapped=True),
    "rmul": _binary(ops.multiply, operator.mul, swapped=True),
    "rtruediv": _binary(ops.true_divide, operator.truediv, swapped=True),
    "rpow": _binary(ops.power, operator.pow, swapped=True),
    **{name: _binary(ops.equal, operator.eq) for name in ("equal", "eq")},
    **{name: _binary(ops.not_equal, operator.ne) for name in ("not_equal", "ne")},
    **{name: _binary(ops.greater, operator.gt) for name in ("greater", "gt")},
    **{name: _binary(ops.greater_equal, operator.ge) for name in ("greater_equal", "ge")},
    **{name: _binary(ops.less, operator.lt) for name in ("less", "lt")},
    **{name: _binary(ops.less_equal, operator.le) for name in ("less_equal", "le")},
    **{name: _binary(ops.logical_and, operator.and_) for name in ("logical_and", "and")},
    **{name: _binary(ops.logical_or, operator.or_) for name in ("logical_or", "or")},
    "squared_difference": _squared_difference,
    **{
        name: _unary(function)
        for name, function in {
            "abs": ops.absolute,
            "ceil": ops.ceil,
            "cos": ops.cos,
            "erf": ops.erf,
            "exp": ops.exp,
            "expm1": ops.expm1,
            "floor": ops.floor,
            "log": ops.log,
            "log1p": ops.log1p,
            "log_sigmoid": ops.log_sigmoid,
            "logical_not": ops.logical_not,
            "neg": ops.negative,
            "negative": ops.negative,
            "reciprocal": ops.reciprocal,
            "relu6": ops.relu6,
            "round": ops.round,
            "rsqrt": ops.rsqrt,
            "selu": ops.selu,
            "sigmoid": ops.sigmoid,
            "sign": ops.sign,
            "sin": ops.sin,
            "softplus": ops.softplus,
            "softsign": ops.softsign,
            "sqrt": ops.sqrt,
            "square": ops.square,
            "stop_gradient": ops.stop_gradient,
            "tanh": ops.tanh,
        }.items()
    },
    "identity": _drop_rest,
    "convert_to_tensor": _drop_rest,
    "ensure_shape": _drop_rest,
    **{
        name: lambda features, beta=1.0: features * ops.sigmoid(beta * features) for name in ("silu", "swish")
    },
    "elu": lambda features, alpha=1.0: ops.elu(features, alpha=alpha),
    "gelu": lambda features, approximate=False: ops.gelu(features, approximate=approximate),
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "softmax": _along(ops.softmax),
    "log_softmax": _along(ops.log_softmax),
    "l2_normalize": _normalize,
    "clip_by_value": _clip,
    "bias_add": _bias_add,
    "batch_normalization": _batch_normalization,
    "moments": _moments,
    "reduce_mean": _reduction(ops.mean),
    "reduce_sum": _reduction(ops.sum),
    "reduce_max": _reduction(ops.max),
    "reduce_min": _reduction(ops.min),
    "reduce_prod": _reduction(ops.prod),
    "reduce_std": _reduction(ops.std),
    "reduce_variance": _reduction(ops.var),
    "reduce_logsumexp": _reduction(ops.logsumexp),
    "reduce_all": _reduction(ops.all),
    "reduce_any": _reduction(ops.any),
    "argmax": lambda input_, axis=0, **rest: ops.argmax(input_, axis=axis),
    "cast": _cast,
    "saturate_cast": _cast,
    "concat": _concat,
    "stack": _stack,
    "unstack": _unstack,
    "split": _split,
    "reshape": _reshape,
    "transpose": _transpose,
    "expand_dims": lambda input_, axis=None, dim=None: ops.expand_dims(input_, dim if axis is None else axis),
    "squeeze": _squeeze,
    "pad": _pad,
    "tile": _tile,
    "broadcast_to": _broadcast_to,
    "fill": _fill,
    "zeros": lambda shape, **rest: _fill(shape, 0.0),
    "ones": lambda shape, **rest: _fill(shape, 1.0),
    "zeros_like": lambda input_, **rest: ops.zeros_like(input_),
    "ones_like": lambda input_, **rest: ops.ones_like(input_),
    "repeat": lambda input_, repeats, axis=None: ops.repeat(input_, repeats, axis=axis),
    "reverse": lambda tensor, axis: ops.flip(tensor, axis=tuple(axis)),
    "roll": lambda input_, shift, axis: ops.roll(input_, shift, axis=axis),
    "getitem": _get_item,
    "strided_slice": _strided_slice,
    "slice": _slice,
    "gather": _gather,
    "where": _where,
    "where_v2": _where,
    "matmul": _matmul,
    "add_n": lambda inputs: sum(inputs[1:], inputs[0]),
    "shape": _shape,
    "image.resize": _resize,
    "resize_images": _resize,
    "resize_bilinear": _resize,
    "resize_nearest_neighbor": _resize_nearest,
    "avg_pool": _pool(ops.average_pool),
    "avg_pool2d": _pool(ops.average_pool),
    "max_pool": _pool(ops.max_pool),
    "max_pool2d": _pool(ops.max_pool),
    **{
        name: _depth_to_space(getattr(ops, name))
        for name in ("depth_to_space", "space_to_depth")
        if hasattr(ops, name)  # not in Keras 3.12
    },
}
"""Name, or its last part → the function on Keras tensors."""
