"""What XNNPACK's rewrite for sparse kernels makes of one op: does it begin, continue or end a stretch."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeprune.tflite.model import Model, Op, Tensor, constant_values

_UNARY = frozenset(
    {
        "ABS",
        "CEIL",
        "ELU",
        "FLOOR",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "NEG",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "ROUND",
        "SQUARE",
    }
)
_CLAMPS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
_UNPACKERS = ("DENSIFY", "DEQUANTIZE")
_PADDED = "ZeroPadding2D({0}) in front of it and padding='valid' do that"

Part = Literal["begins", "inside", "ends", ""]
"""Where in a stretch an op can stand; "" for nowhere."""


class Graph:
    """The main subgraph as XNNPACK sees it: weights unpacked, PADs folded into convolutions.

    Attributes:
        model: the file.
        tensors: all tensors.
        static: constants, also those that an op unpacks.
        ops: the ops, without those that unpack constants, and without PADs that are folded.
        readers: tensor → the ops that read it.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tensors = model, model.tensors
        self.static = {tensor.index: tensor for tensor in model.tensors if tensor.is_constant}
        self.ops: list[Op] = []
        for op in model.ops:
            source = self.static.get(op.inputs[0]) if op.name in _UNPACKERS and op.inputs else None
            if source is not None and source.dtype in ("float16", "float32"):
                self.static[op.outputs[0]] = source
            else:
                self.ops.append(op)
        self.readers: dict[int, list[Op]] = {}
        for op in self.ops:
            for index in dict.fromkeys(op.inputs):
                self.readers.setdefault(index, []).append(op)
        self._pads = dict(self._fold_pads())
        folded = set(self._pads.values())
        self.ops = [op for op in self.ops if op.index not in folded]

    def inputs(self, op: Op) -> list[int]:
        """The tensors an op reads, constants aside, through a PAD that XNNPACK folds into it."""
        inputs = [index for index in op.inputs if index >= 0 and index not in self.static]
        if op.index in self._pads:
            return [self.model.ops[self._pads[op.index]].inputs[0]]
        return inputs

    def _fold_pads(self) -> Iterator[tuple[int, int]]:
        """Index of a convolution → index of the PAD in front of it, where XNNPACK makes one op of the two."""
        for pad in self.ops:
            readers = self.readers.get(pad.outputs[0], []) if pad.name == "PAD" and pad.outputs else []
            shown = bool(readers) and pad.outputs[0] in self.model.subgraphs[0].outputs
            if len(readers) == 1 and not shown and readers[0].name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                amounts = self._pad_amounts(pad)
                strided = max(_strides(readers[0])) > 1 and readers[0].options.get("padding") == "SAME"
                if amounts is not None and not (amounts[0].any() or amounts[3].any() or strided):
                    yield readers[0].index, pad.index

    def _pad_amounts(self, pad: Op) -> NDArray[Any] | None:
        constant = self._constant(pad)
        if constant is None or constant.shape != (4, 2):
            return None
        return constant_values(constant, where=self.model.where).astype(np.int64)

    def evaluator(self, op: Op) -> tuple[Part, str]:
        """Which part of a stretch the op can be, or why none, as a clause."""
        if (kind := self._find_other_type(op)) is not None:
            return "", f"computes in {kind}; XNNPACK has sparse kernels for floats alone"
        if op.options.get("fused_activation_function", "NONE") not in _CLAMPS:
            return "", f"has {op.options['fused_activation_function']} built in"
        if op.name == "CONV_2D":
            return self._judge_convolution(op)
        if op.name == "DEPTHWISE_CONV_2D":
            return self._judge_depthwise(op)
        if op.name == "FULLY_CONNECTED":
            return "inside", ""
        if op.name == "DEPTH_TO_SPACE":
            return "ends", ""
        shapes = [self.tensors[index].shape for index in op.inputs if index not in self.static]
        image = bool(shapes) and all(len(shape) == 4 for shape in shapes)
        if op.name == "MEAN":
            axes = self._constant(op)
            over = set() if axes is None else set(constant_values(axes, where=self.model.where).ravel() % 4)
            fits = image and over == {1, 2}
            return ("ends", "") if fits else ("", "averages over other axes than the image")
        if op.name in _UNARY:
            return ("inside", "") if image else ("", "works on no image")
        if op.name in ("ADD", "MUL"):
            if len(shapes) < 2:
                return "", "takes a constant, which XNNPACK cannot turn to its other layout"
            return ("inside", "") if image else ("", "combines tensors that are not both images")
        if op.name == "RESIZE_BILINEAR":
            large = image and min(shapes[0][1:3]) > 1
            return ("inside", "") if large else ("", "enlarges a single pixel")
        return "", "has no kernel in the layout that the sparse ones work in"

    def _constant(self, op: Op) -> Tensor | None:
        """The op's second input, where that is a constant."""
        return self.static.get(op.inputs[1]) if len(op.inputs) > 1 else None

    def _judge_convolution(self, op: Op) -> tuple[Part, str]:
        weights = self.tensors[op.inputs[1]].shape
        if op.inputs[1] not in self.static:
            return "", "has weights that are computed"
        if weights[3] != self.tensors[op.inputs[0]].shape[3]:
            return "", "works in groups of channels"
        if max(_dilations(op)) > 1:
            return "", "is dilated"
        if weights[1:3] == (1, 1):
            if max(_strides(op)) > 1:
                return "", "is a 1×1 convolution with strides"
            padded = any(self._padding(op, (1, 1)))
            return ("", "is a 1×1 convolution with padding") if padded else ("inside", "")
        if weights[1:3] != (3, 3) or _strides(op) != (2, 2) or weights[3] != 3:
            size = f"{weights[1]}×{weights[2]} of stride {_strides(op)[0]} with {weights[3]} channels in"
            return "", f"is {size}; it takes 1×1, and at the start one of 3×3, stride 2 and 3 channels in"
        if self._padding(op, (3, 3)) != (1, 1, 1, 1):
            return "", f"does not pad one pixel on each side; {_PADDED.format(1)}"
        return "begins", ""

    def _judge_depthwise(self, op: Op) -> tuple[Part, str]:
        weights, strides = self.tensors[op.inputs[1]].shape, _strides(op)
        size = weights[1:3]
        if op.inputs[1] not in self.static:
            return "", "has weights that are computed"
        if max(_dilations(op)) > 1:
            return "", "is dilated"
        if weights[3] != self.tensors[op.inputs[0]].shape[3]:
            return "", "makes several channels of one"
        if size not in ((3, 3), (5, 5)) or strides not in ((1, 1), (2, 2)):
            return "", f"is {size[0]}×{size[1]} of stride {strides[0]}; it takes 3×3 and 5×5, stride 1 and 2"
        pixels = size[0] // 2
        if self._padding(op, size) != (pixels,) * 4:
            wanted = f"{pixels} pixel{'s' if pixels > 1 else ''} on each side"
            return "", f"does not pad {wanted}; {_PADDED.format(pixels)}"
        return "inside", ""

    def _padding(self, op: Op, size: tuple[int, ...]) -> tuple[int, ...]:
        """Pixels (top, bottom, left, right) as XNNPACK knows them; it knows none of SAME with strides."""
        sides = [0, 0, 0, 0]
        if op.options.get("padding") == "SAME" and _strides(op) == (1, 1):
            for axis in (0, 1):
                lost = size[axis] - 1
                sides[2 * axis : 2 * axis + 2] = lost // 2, lost - lost // 2
        if op.index in self._pads:
            amounts = self._pad_amounts(self.model.ops[self._pads[op.index]])
            if amounts is not None:
                sides = [a + int(b) for a, b in zip(sides, amounts[1:3].ravel(), strict=True)]
        return tuple(sides)

    def _find_other_type(self, op: Op) -> str | None:
        """The type of an activation or of weights that is no float; None if all are."""
        weighted = op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        read = op.inputs if weighted else [index for index in op.inputs if index not in self.static]
        for index in (*op.outputs, *read):
            dtype = self.tensors[index].dtype if index >= 0 else "float32"
            if dtype != "float32":
                return dtype
        return None


def _strides(op: Op) -> tuple[int, int]:
    return int(op.options.get("stride_h", 1)), int(op.options.get("stride_w", 1))


def _dilations(op: Op) -> tuple[int, int]:
    return int(op.options.get("dilation_h_factor", 1)), int(op.options.get("dilation_w_factor", 1))
