"""TensorFlow operations as TensorFlow 2.0 to 2.3 filed them ("TensorFlowOpLayer"): raw nodes of its graph.

A node has the name of a raw operation, attributes, and inputs: tensors and, by their positions, constants.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edgeprune.keras_bridge.loading.keras2_functions import translate_call

Attributes = Mapping[str, Any]


def translate_node(node: Mapping[str, Any], inputs: list[Any]) -> Any:
    """What a node gives, as Keras tensors.

    Args:
        node: `node_def` of the layer's config.
        inputs: tensors and constants, in order.

    Raises:
        LookupError: there is no translation.
        TypeError, ValueError: its inputs or attributes are not those that have one.
    """
    kind = str(node["op"])
    attributes = {key: _read(value) for key, value in node.get("attr", {}).items()}
    if kind in _PLAIN:
        names = _PLAIN[kind][1:]
        return translate_call(_PLAIN[kind][0], inputs[0], dict(zip(names, inputs[1:], strict=True)))
    if kind in _WITH_ATTRIBUTES:
        function, first, arguments = _WITH_ATTRIBUTES[kind](inputs, attributes)
        return translate_call(function, first, arguments)
    raise LookupError(kind)


def insert_constants(tensors: list[Any], constants: Mapping[str, Any]) -> list[Any]:
    """All inputs of a node: the constants at their positions, the tensors at the others."""
    inputs = list(tensors)
    for position in sorted(constants, key=int):
        inputs.insert(int(position), constants[position])
    return inputs


def _read(value: Mapping[str, Any]) -> Any:
    """An attribute as Python has it; numbers of 64 bits are strings in JSON."""
    for key, found in value.items():
        match key:
            case "i":
                return int(found)
            case "b" | "f" | "type":
                return found
            case "s":
                return found
            case "list":
                return [int(n) for n in found.get("i", [])]
    return None


# Raw operation → the function of `keras2_functions`, and the names of all inputs but the first.
_PLAIN: dict[str, tuple[str, ...]] = {
    **{
        kind: (name,)
        for kind, name in {
            "Abs": "abs",
            "Elu": "elu",
            "Exp": "exp",
            "Floor": "floor",
            "Identity": "identity",
            "Log": "log",
            "Neg": "negative",
            "Reciprocal": "reciprocal",
            "Relu": "relu",
            "Relu6": "relu6",
            "Round": "round",
            "Rsqrt": "rsqrt",
            "Selu": "selu",
            "Shape": "shape",
            "Sigmoid": "sigmoid",
            "Softmax": "softmax",
            "Softplus": "softplus",
            "Sqrt": "sqrt",
            "Square": "square",
            "Tanh": "tanh",
        }.items()
    },
    "Add": ("add", "y"),
    "AddV2": ("add", "y"),
    "BiasAdd": ("bias_add", "bias"),
    "ClipByValue": ("clip_by_value", "clip_value_min", "clip_value_max"),
    "Div": ("truediv", "y"),
    "ExpandDims": ("expand_dims", "axis"),
    "Greater": ("greater", "y"),
    "GreaterEqual": ("greater_equal", "y"),
    "Less": ("less", "y"),
    "LessEqual": ("less_equal", "y"),
    "Maximum": ("maximum", "y"),
    "Minimum": ("minimum", "y"),
    "Mul": ("multiply", "y"),
    "Pad": ("pad", "paddings"),
    "PadV2": ("pad", "paddings", "constant_values"),
    "Pow": ("pow", "y"),
    "RealDiv": ("truediv", "y"),
    "Reshape": ("reshape", "shape"),
    "SelectV2": ("where", "x", "y"),
    "SquaredDifference": ("squared_difference", "y"),
    "Sub": ("subtract", "y"),
    "Tile": ("tile", "multiples"),
    "Transpose": ("transpose", "perm"),
}


def _reduce(name: str) -> Callable[[list[Any], Attributes], tuple[str, Any, dict[str, Any]]]:
    return lambda x, a: (name, x[0], {"axis": x[1], "keepdims": bool(a.get("keep_dims"))})


def _masks(attributes: Attributes) -> dict[str, int]:
    return {key: value for key, value in attributes.items() if key.endswith("_mask") and value}


def _resize(method: str) -> Callable[[list[Any], Attributes], tuple[str, Any, dict[str, Any]]]:
    def call(x: list[Any], a: Attributes) -> tuple[str, Any, dict[str, Any]]:
        if a.get("align_corners") or not a.get("half_pixel_centers"):
            raise ValueError("images resized as TensorFlow 1 did, with other centres of pixels")
        return "image.resize", x[0], {"size": x[1], "method": method}

    return call


_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_HALF": "float16",
    "DT_INT32": "int32",
    "DT_BOOL": "bool",
    "DT_UINT8": "uint8",
}

_WITH_ATTRIBUTES: dict[str, Callable[[list[Any], Attributes], tuple[str, Any, dict[str, Any]]]] = {
    "BatchMatMulV2": lambda x, a: (
        "matmul",
        x[0],
        {"b": x[1], "transpose_a": a.get("adj_x"), "transpose_b": a.get("adj_y")},
    ),
    "Cast": lambda x, a: ("cast", x[0], {"dtype": _DTYPES[a["DstT"]]}),
    "ConcatV2": lambda x, a: ("concat", x[:-1], {"axis": x[-1]}),
    "DepthToSpace": lambda x, a: ("depth_to_space", x[0], {"block_size": a["block_size"]}),
    "LeakyRelu": lambda x, a: ("leaky_relu", x[0], {"alpha": a.get("alpha", 0.2)}),
    "MatMul": lambda x, a: (
        "matmul",
        x[0],
        {"b": x[1], "transpose_a": a.get("transpose_a"), "transpose_b": a.get("transpose_b")},
    ),
    "Max": _reduce("reduce_max"),
    "Mean": _reduce("reduce_mean"),
    "Min": _reduce("reduce_min"),
    "MirrorPad": lambda x, a: ("pad", x[0], {"paddings": x[1], "mode": "REFLECT"}),
    "Pack": lambda x, a: ("stack", x, {"axis": a.get("axis", 0)}),
    "Prod": _reduce("reduce_prod"),
    "ResizeBilinear": _resize("bilinear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "SpaceToDepth": lambda x, a: ("space_to_depth", x[0], {"block_size": a["block_size"]}),
    "Split": lambda x, a: ("split", x[1], {"num_or_size_splits": a["num_split"], "axis": x[0]}),
    "SplitV": lambda x, a: ("split", x[0], {"num_or_size_splits": x[1], "axis": x[2]}),
    "Squeeze": lambda x, a: ("squeeze", x[0], {"axis": a.get("squeeze_dims")}),
    "StridedSlice": lambda x, a: (
        "strided_slice",
        x[0],
        {"begin": x[1], "end": x[2], "strides": x[3], **_masks(a)},
    ),
    "Sum": _reduce("reduce_sum"),
    "Unpack": lambda x, a: ("unstack", x[0], {"num": a.get("num"), "axis": a.get("axis", 0)}),
}
"""Raw operation → (inputs, attributes) → function, first argument, and the others."""
