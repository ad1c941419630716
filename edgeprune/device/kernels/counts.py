"""What the kernel of each kind of op counts up to, from the op's shape alone.

What each count costs is fitted per core. Adding a kind: one function and its line in `FEATURES`
(`cmsis_nn.py`), and what leads to it in `KINDS` or `kind_of`; `elsewhere.py` has what other kernel
libraries, and kernels for floats, do otherwise.
"""

from functools import lru_cache

from edgeprune.device.kernels.cmsis_nn import FEATURES
from edgeprune.device.kernels.elsewhere import FEATURES_ELSEWHERE, FEATURES_FLOAT, Kernels, name_elsewhere
from edgeprune.device.kernels.loops import Counts
from edgeprune.graph.opshape import OpShape

KINDS: dict[str, str] = {
    "ABS": "abs",
    "ARG_MAX": "argmax",
    "ARG_MIN": "argmax",
    "AVERAGE_POOL_2D": "average_pool",
    "BATCH_MATMUL": "batch_matmul",
    "CONCATENATION": "concatenation",
    "DEPTH_TO_SPACE": "depth_to_space",
    "DEQUANTIZE": "dequantize",
    "DIV": "div",
    "ELU": "elu",
    "EXPAND_DIMS": "reshape",
    "HARD_SWISH": "hard_swish",
    "LEAKY_RELU": "leaky_relu",
    "LOGISTIC": "logistic",
    "LOG_SOFTMAX": "log_softmax",
    "MAX_POOL_2D": "max_pool",
    "MEAN": "mean",
    "MIRROR_PAD": "mirror_pad",
    "NEG": "neg",
    "PACK": "pack",
    "PAD": "pad",
    "PADV2": "pad",
    "PRELU": "prelu",
    "REDUCE_MAX": "reduce_max",
    "REDUCE_MIN": "reduce_max",
    "RELU": "relu",
    "RELU6": "relu6",
    "RESHAPE": "reshape",
    "RESIZE_BILINEAR": "resize_bilinear",
    "RESIZE_NEAREST_NEIGHBOR": "resize_nearest",
    "RSQRT": "rsqrt",
    "SHAPE": "shape",
    "SOFTMAX": "softmax",
    "SPACE_TO_DEPTH": "space_to_depth",
    "SPLIT": "split",
    "SPLIT_V": "split",
    "SQUEEZE": "reshape",
    "STRIDED_SLICE": "strided_slice",
    "SUM": "sum",
    "SVDF": "svdf",
    "TANH": "tanh",
    "TRANSPOSE": "transpose",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "lstm",
    "UNPACK": "split",
}
"""Kinds of the ops that have one; those of `_PAIRED` and with weights depend on shapes, see `kind_of`."""

_PAIRED = {
    "ADD": "add",
    "MAXIMUM": "maximum",
    "MINIMUM": "maximum",
    "MUL": "mul",
    "SQUARED_DIFFERENCE": "squared_difference",
    "SUB": "sub",
}
"""Ops whose kernels treat two inputs of one shape otherwise than a broadcast one."""

_REVERSED_ABOVE = 16
"""Input channels above which CMSIS-NN computes a transposed convolution as a convolution."""

_OF_TYPES = ("SHAPE", "QUANTIZE", "DEQUANTIZE")
"""Ops that cost the same on floats, or are of a kind of their own."""

FLOAT = "_float32"
"""How the kinds of ops on floats end. They have prices of their own on each core."""


def kind_of(op: OpShape) -> str:
    """The key of `FEATURES` whose kernel runs this op on integers; "other" where none is known."""
    if op.op == "CONV_2D" and op.filter is not None:
        # CMSIS-NN takes the matrix product only where the 1x1 convolution neither pads nor dilates.
        plain = op.filter[1:] == (1, 1, op.inputs[0][-1]) and op.dilation == (1, 1)
        return "conv_1x1" if plain else "conv"
    if op.op == "DEPTHWISE_CONV_2D" and op.filter is not None:
        multiplier = op.filter[3] // op.inputs[0][-1]
        if multiplier == 1 and op.dilation == (1, 1):
            return "depthwise" if op.filter[1:3] == (3, 3) else "depthwise_window"
        if op.dilation != (1, 1):
            return "depthwise_dilated"
        return "depthwise_plain" if multiplier % 4 else "depthwise_by_four"
    if op.op in _PAIRED:
        same = len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]
        if _PAIRED[op.op] == "maximum" and len(op.inputs) == 1:
            return "maximum_constant"
        return _PAIRED[op.op] if same else f"{_PAIRED[op.op]}_broadcast"
    if op.op == "FULLY_CONNECTED":
        if op.filter is None:
            return "other"
        return "conv_1x1" if len(op.output) > 2 and op.filter[1] % 4 == 0 else "fully_connected"
    if op.op == "TRANSPOSE_CONV" and op.filter is not None:
        reversed_ = op.filter[3] > _REVERSED_ABOVE and max(op.stride) <= 2
        return "transpose_conv_reversed" if reversed_ else "transpose_conv"
    if op.op == "QUANTIZE":
        if op.flips_sign:
            return "flip_sign"
        return "quantize" if op.dtype == "float32" else "requantize"
    return KINDS.get(op.op, "other")


def is_on_floats(op: OpShape) -> bool:
    """Whether an op computes on floats, so that laws of integer kernels do not hold."""
    return op.dtype == "float32" and op.op not in _OF_TYPES


@lru_cache(maxsize=65536)
def count_features(op: OpShape, *, kernels: Kernels = "dsp") -> tuple[str, Counts]:
    """Kind of the op and its counts in these kernels, in the order of the kind's coefficients.

    On floats every library runs the reference kernels, most of whose loops are those of the integer ones.
    """
    if not is_on_floats(op):
        kind = name_elsewhere(kind_of(op), op, kernels=kernels)
        count = FEATURES_ELSEWHERE[kernels].get(kind) or FEATURES[kind]
        return kind, count(op)
    kind = name_elsewhere(kind_of(op), op, kernels="reference")
    count = FEATURES_FLOAT.get(kind) or FEATURES_ELSEWHERE["reference"].get(kind) or FEATURES[kind]
    if kind == "mean" and op.inputs and len(op.inputs[0]) == len(op.output) == 4:
        kind = "mean_image"  # a loop of its own, where the axes of the image are kept
    return kind + FLOAT, count(op)


def count_other(op: OpShape) -> Counts:
    """The counts of the kind "other", whatever the op is."""
    return FEATURES["other"](op)
