"""PADs that are left to the convolutions behind them, which fill up their windows at the margin."""

from collections import Counter
from dataclasses import replace

import numpy as np

from edgeprune.firmware.c.window import EXPLICIT
from edgeprune.tflite.model import Model, Op, constant_values

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def fold_padding(model: Model) -> Model:
    """The model without PADs of int8 images that only one convolution reads, and whose margin it can add.

    Such a convolution reads what the PAD read; its option `padding` is then `EXPLICIT`, and `margins` says
    what is added: ((above, below), (left, right)).
    """
    graph = model.subgraphs[0]
    uses = Counter([*graph.outputs, *(tensor for op in graph.ops for tensor in op.inputs)])
    pads = {op.outputs[0]: op for op in graph.ops if op.name in ("PAD", "PADV2")}
    ops: dict[int, Op] = {op.index: op for op in graph.ops}
    for op in graph.ops:
        if op.name in _CONVOLUTIONS and op.inputs[0] in pads and uses[op.inputs[0]] == 1:
            pad = pads[op.inputs[0]]
            margins = _find_margins(model, pad, op)
            if margins is not None:
                options = {**op.options, "padding": EXPLICIT, "margins": margins}
                ops[op.index] = replace(op, inputs=(pad.inputs[0], *op.inputs[1:]), options=options)
                del ops[pad.index]
    if len(ops) == len(graph.ops):
        return model
    return replace(model, subgraphs=(replace(graph, ops=tuple(ops.values())), *model.subgraphs[1:]))


def _find_margins(model: Model, pad: Op, convolution: Op) -> tuple[tuple[int, int], ...] | None:
    """What a PAD adds to an image's height and width; None where the convolution cannot add that."""
    source, padded = model.tensors[pad.inputs[0]], model.tensors[pad.outputs[0]]
    weights = model.tensors[convolution.inputs[1]]
    known = [model.tensors[at] for at in pad.inputs[1:] if at >= 0]
    if not all(tensor.is_constant for tensor in known) or source.is_constant:
        return None
    if convolution.options["padding"] != "VALID" or source.dtype != "int8" or padded.dtype != "int8":
        return None
    quantized = [(t.scales.tolist(), t.zero_points.tolist()) for t in (source, padded)]
    if quantized[0] != quantized[1] or len(quantized[0][1]) != 1 or len(weights.shape) != 4:
        return None
    margins = constant_values(known[0], where=model.where).astype(np.int64)
    if margins.shape != (4, 2) or margins.min() < 0 or margins[[0, 3]].any():
        return None
    # Kernels look for at least one tap within the image in each row of a window.
    if any(margins[axis].max() >= weights.shape[axis] for axis in (1, 2)):
        return None
    if len(known) > 1 and (constant_values(known[1], where=model.where) != padded.zero_points[0]).any():
        return None
    return tuple((int(before), int(after)) for before, after in margins[1:3])
