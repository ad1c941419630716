"""Options and shapes with which kernels of convolutions, pools and dense layers work."""

from math import isfinite, prod

from edgeprune.tflite.model import Subgraph, Tensor
from edgeprune.tflite.op_table import FILTER_LAYOUTS, FilterLayout
from edgeprune.tflite.validity.placed import PlacedOp, has_known_shape, name_tensor

_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
_WINDOWS = (*_POOLS, "CONV_2D", "DEPTHWISE_CONV_2D")
_STRIDED = (*_WINDOWS, "TRANSPOSE_CONV")
_STEPS = (
    *("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"),
    *("filter_height", "filter_width"),
)
_LARGEST_STEP = (1 << 31) - 1


def require_kernels(subgraph: Subgraph, *, where: str, are_final: bool = False) -> None:
    """Raises ModelError for options and shapes that the kernel of an op cannot work with.

    Args:
        subgraph: of a file.
        where: the file and subgraph, for messages.
        are_final: whether all dimensions are known; otherwise those that are open in the file are not judged.
    """
    for op in subgraph.ops:
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        layout = FILTER_LAYOUTS.get(op.name)
        _require_numbers(placed)
        if op.name in _STRIDED:
            _require_steps(placed)
        if are_final and (layout is not None or op.name in _POOLS):
            _require_dimensions(placed)
        if layout is not None:
            _require_weights(placed, layout)
            _require_bias(placed, layout)
        if op.name in _WINDOWS:
            _require_window(placed)


def _require_numbers(placed: PlacedOp) -> None:
    for key, value in placed.op.options.items():
        if isinstance(value, float) and not isfinite(value):
            raise placed.refuse(f"has the {key} {value:g}", why="nothing can be computed with that")


def _require_steps(placed: PlacedOp) -> None:
    options = placed.op.options
    needed = {"stride_h", "stride_w", "padding"}
    if placed.op.name in _POOLS:
        needed |= {"filter_height", "filter_width"}
    if missing := sorted(needed - options.keys()):
        raise placed.refuse("has no options of its kind", why=f"{missing[0]} is among them")
    wrong = {key: options[key] for key in _STEPS if key in options and not 1 <= options[key] <= _LARGEST_STEP}
    if wrong:
        key, value = next(iter(wrong.items()))
        raise placed.refuse(f"has the {key} {value}", why="windows are at least 1 and move on by at least 1")
    for tensor in (_image_of(placed), placed.output()):
        if tensor is not None and tensor.shape and len(tensor.shape) != 4:
            raise placed.refuse(
                f"has {name_tensor(tensor)} of the shape {tensor.shape}", why="an image has 4 dimensions"
            )


def _require_dimensions(placed: PlacedOp) -> None:
    """Raises ModelError where the file does not even say how many dimensions there are."""
    for tensor in (_image_of(placed), placed.output()):
        if tensor is not None and not tensor.shape:
            raise placed.refuse(f"has {name_tensor(tensor)} without dimensions")


def _image_of(placed: PlacedOp) -> Tensor | None:
    layout = FILTER_LAYOUTS.get(placed.op.name)
    return placed.input(layout.activation if layout else 0)


def _require_weights(placed: PlacedOp, layout: FilterLayout) -> None:
    weights, image, output = placed.input(1), _image_of(placed), placed.output()
    if weights is None or image is None or output is None:
        raise placed.refuse("has no weights, input or output")
    if len(weights.shape) != layout.rank:
        raise placed.refuse(
            f"has weights of the shape {weights.shape} in {name_tensor(weights)}",
            why=f"{layout.rank} dimensions are needed",
        )
    if not (has_known_shape(image) and has_known_shape(output)) or 0 in (*image.shape, *output.shape):
        return
    if 0 in weights.shape or not _do_weights_fit(placed, weights, image, output, layout):
        raise placed.refuse(
            f"makes {output.shape} of {image.shape} with weights of the shape {weights.shape}",
            why=f"{name_tensor(weights)} does not fit what it is multiplied with",
        )


def _do_weights_fit(
    placed: PlacedOp, weights: Tensor, image: Tensor, output: Tensor, layout: FilterLayout
) -> bool:
    channels, name = weights.shape[layout.channels], placed.op.name
    if output.shape[-1] != channels:
        return False
    if name == "FULLY_CONNECTED":
        rows, rest = divmod(image.elements, weights.shape[1])
        return not rest and output.elements == rows * channels
    if image.shape[0] != output.shape[0]:
        return False
    if name == "DEPTHWISE_CONV_2D":
        return weights.shape[0] == 1 and channels % image.shape[3] == 0
    groups, rest = divmod(image.shape[3], weights.shape[3])
    return not rest and channels % groups == 0 and (name == "CONV_2D" or groups == 1)


def _require_bias(placed: PlacedOp, layout: FilterLayout) -> None:
    weights, bias = placed.input(1), placed.input(layout.bias)
    if weights is None or bias is None:
        return
    channels = weights.shape[layout.channels]
    if prod(bias.shape) != channels:
        raise placed.refuse(
            f"has a bias of {prod(bias.shape)} values for {channels} output channels",
            why=f"{name_tensor(bias)} has the shape {bias.shape}",
        )


def _require_window(placed: PlacedOp) -> None:
    """Raises ModelError where the output is not as large as the window and its steps make it."""
    image, output, options = placed.input(0), placed.output(), placed.op.options
    if image is None or output is None or not (has_known_shape(image) and has_known_shape(output)):
        return
    weights = placed.input(1) if placed.op.name in FILTER_LAYOUTS else None
    if weights is None and (image.shape[0], image.shape[3]) != (output.shape[0], output.shape[3]):
        raise placed.refuse(
            f"makes {output.shape} of {image.shape}", why="a pool keeps the batch, and every channel"
        )
    taps = weights.shape[1:3] if weights else (options["filter_height"], options["filter_width"])
    for axis, (side, along) in enumerate((("h", "high"), ("w", "wide"))):
        size, made, step = image.shape[axis + 1], output.shape[axis + 1], options[f"stride_{side}"]
        reach = (taps[axis] - 1) * options.get(f"dilation_{side}_factor", 1) + 1
        wanted = -(-size // step) if options["padding"] == "SAME" else (size + step - reach) // step
        if made != wanted:
            raise placed.refuse(
                f"makes an image {made} {along} of one {size} {along}",
                why=f"a window of {reach} that moves on by {step} makes {wanted} in {name_tensor(output)}",
            )
