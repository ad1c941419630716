"""The shape of one int8 TFLite op: all that the cost models need to know about it.

Both a `LayerGraph` (before conversion) and a `.tflite` file (after it) are described by a list of these, so
that one estimator serves the budget solver and the final check.
"""

from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """One constant that a DECODE op of TFLM unpacks before the op that reads it.

    Attributes:
        encoding: "prune", "lut" or "huffman".
        dtype: type of its elements.
        elements: how many there are.
        stored: how many PRUNE stores; 0 for other encodings.
        index_bits: bits of an index into a look-up table; 0 for other encodings.
        channel_last: whether neighbouring elements belong to different channels.
        zero_point_bytes: what the decoder keeps of zero points, where they are not all 0.
    """

    encoding: str
    dtype: str
    elements: int
    stored: int = 0
    index_bits: int = 0
    channel_last: bool = False
    zero_point_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class OpShape:
    """One op.

    Attributes:
        op: TFLite builtin name, for example "CONV_2D".
        name: the layer or tensor it computes, for people.
        inputs: shapes of the activation inputs, batch included (1), constants left out.
        output: shape of the first output, batch included.
        filter: shape of the weights in TFLite's layout, or None: CONV_2D (out, h, w, in), DEPTHWISE_CONV_2D
            (1, h, w, out), FULLY_CONNECTED (out, in), UNIDIRECTIONAL_SEQUENCE_LSTM
            (gates * units, in + units), GATHER of a table (rows, width), before it is a file.
        stride: (vertical, horizontal), for convolutions and pooling.
        dilation: (vertical, horizontal), for convolutions.
        window: (height, width) of a pooling window; (1, 1) otherwise.
        padding: "SAME" or "VALID", for convolutions and pooling; "" otherwise.
        has_bias: whether a bias is added.
        dtype: type of the activations.
        decoded: what a DECODE op unpacks; empty for all other ops.
        weights_decoded: whether the weights come from a DECODE op, so that nothing can be prepared from them.
        weights_per_tensor: whether one scale holds for all weights; converters of before 2024 quantized dense
            layers so, which have kernels of their own.
        flips_sign: whether a QUANTIZE only turns uint8 into int8 of the same scale, or back.
        turns: how often one inference runs it; more than once in loops, None where that is not known.
        least_turns: how often it does in any case; less in branches, or where `turns` is not known.
    """

    op: str
    name: str = ""
    inputs: tuple[Shape, ...]
    output: Shape
    filter: Shape | None = None
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    padding: str = ""
    has_bias: bool = False
    dtype: str = "int8"
    decoded: tuple[Decoded, ...] = ()
    weights_decoded: bool = False
    weights_per_tensor: bool = False
    flips_sign: bool = False
    turns: int | None = 1
    least_turns: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates each time it runs; 0 for ops that have none."""
        if self.op == "BATCH_MATMUL":
            return prod(self.inputs[0]) * self.output[-1] if self.inputs and self.output else 0
        if self.filter is None or self.op == "GATHER":
            return 0
        if self.op == "DEPTHWISE_CONV_2D":
            return prod(self.output) * self.filter[1] * self.filter[2]
        if self.op in ("CONV_2D", "CONV_3D", "FULLY_CONNECTED"):
            return prod(self.output) * prod(self.filter[1:])
        if not self.inputs:
            return 0
        if self.op in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"):
            return prod(self.inputs[0]) * prod(self.filter[:-1])
        if self.op == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            return prod(self.inputs[0][:-1]) * prod(self.filter)
        return prod(self.filter)

    @property
    def weight_count(self) -> int:
        """Number of weights, without bias."""
        return prod(self.filter) if self.filter is not None else 0
