"""What the weights of a layer are multiplied with: the windows of its input that a kernel sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgeprune.graph.layergraph import Array

Places = tuple[Array, ...]

_DENSE = (keras.layers.Dense,)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """How a layer's kernel lies on its input; a dense layer's sees one position.

    Attributes:
        kernel: its shape; the last two axes are channels in and out, or channels and outputs of each.
        strides, dilation: one per axis of the window.
        padding: as Keras names it.
        is_depthwise: whether each channel has a kernel of its own.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: str = "valid"
    is_depthwise: bool = False

    @property
    def columns(self) -> int:
        """Weights that an output is a sum over."""
        size = int(np.prod(self.kernel[:-2]))
        return size if self.is_depthwise else size * self.kernel[-2]

    def look(self, x: Array, where: Places) -> Array:
        """What is multiplied with the weights for the outputs at some positions.

        Args:
            x: what the layer is called with.
            where: positions among its outputs, an index for each axis but the last.

        Returns:
            (blocks, positions, columns): a depthwise layer has a block for each channel, all others have one.
        """
        rank = len(self.kernel) - 2
        if rank == 0:
            return x[where][None]
        spans = tuple((size - 1) * by + 1 for size, by in zip(self.kernel[:-2], self.dilation, strict=True))
        padded = np.pad(x, [(0, 0), *self._pads(x.shape[1:-1], spans), (0, 0)])
        axes: Any = tuple(range(1, rank + 1))  # numpy's types know of one axis only
        seen = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)
        steps = (slice(None), *(slice(None, None, by) for by in self.strides))
        taps: Any = (..., *(slice(None, None, by) for by in self.dilation))
        picked: Array = seen[steps][taps][where]  # (positions, channels, *window)
        flat = picked.reshape(*picked.shape[:2], -1)
        if self.is_depthwise:
            return flat.swapaxes(0, 1)
        return flat.swapaxes(1, 2).reshape(1, len(flat), -1)

    def divide(self, outputs: Array) -> Array:
        """(blocks, positions, outputs) of (positions, channels)."""
        if self.is_depthwise:
            return outputs.reshape(len(outputs), *self.kernel[-2:]).swapaxes(0, 1)
        return outputs[None]

    def to_blocks(self, kernel: Array) -> Array:
        """(blocks, columns, outputs) of a kernel."""
        if self.is_depthwise:
            return kernel.reshape(-1, *self.kernel[-2:]).swapaxes(0, 1)
        return kernel.reshape(1, -1, self.kernel[-1])

    def to_kernel(self, blocks: Array) -> Array:
        """What `to_blocks` made blocks of."""
        return (blocks.swapaxes(0, 1) if self.is_depthwise else blocks).reshape(self.kernel)

    def _pads(self, sizes: Sequence[int], spans: Sequence[int]) -> list[tuple[int, int]]:
        if self.padding == "valid":
            return [(0, 0)] * len(sizes)
        if self.padding == "causal":
            return [(span - 1, 0) for span in spans]
        pads = []
        for size, by, span in zip(sizes, self.strides, spans, strict=True):
            total = max((-(-size // by) - 1) * by + span - size, 0)
            pads.append((total // 2, total - total // 2))
        return pads


def describe_windows(layer: Any) -> Windows | None:
    """The windows of a dense, convolutional or depthwise layer; None of any other, or in another layout."""
    kinds = (*_DENSE, *_CONVOLUTIONS, *_DEPTHWISE)
    if type(layer) not in kinds or getattr(layer, "data_format", "channels_last") != "channels_last":
        return None
    shape = tuple(layer.kernel.shape)
    if type(layer) in _DENSE:
        return Windows(kernel=shape)
    if type(layer) in _CONVOLUTIONS and layer.groups != 1:
        return None
    return Windows(
        kernel=shape,
        strides=tuple(layer.strides),
        dilation=tuple(layer.dilation_rate),
        padding=layer.padding,
        is_depthwise=type(layer) in _DEPTHWISE,
    )
