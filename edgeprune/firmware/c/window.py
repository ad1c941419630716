"""Windows that slide over an image: where they lie, and which memory is still needed when one is done."""

from dataclasses import dataclass

import numpy as np

from edgeprune.firmware.c.layer import Site, shape_4d

_MOST_PIXELS = 1 << 22
EXPLICIT = "EXPLICIT"
"""The option `padding` of a convolution that a PAD was folded into; its option `margins` holds the sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A window that slides over (batches, in_h, in_w, in_c) and makes (batches, out_h, out_w, out_c).

    Attributes:
        batches, in_h, in_w, in_c, out_h, out_w, out_c: the images.
        kernel_h, kernel_w: taps.
        stride_h, stride_w, dilation_h, dilation_w: steps.
        pad_top, pad_left: how far the first window reaches beyond the image.
    """

    batches: int
    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel comes from the input pixel at the same place."""
        return (self.kernel_h, self.kernel_w, self.stride_h, self.stride_w) == (1, 1, 1, 1)

    @property
    def pixels(self) -> int:
        """Output pixels of all images."""
        return self.batches * self.out_h * self.out_w

    def slack_bytes(self, *, pixels_at_once: int) -> int:
        """By how much an output may start after its input in the same memory (see `Layer.overlaps`).

        Pixels are computed in order; each step reads all it needs before it writes.

        Args:
            pixels_at_once: pixels of one step.
        """
        rows = np.maximum(np.arange(self.out_h) * self.stride_h - self.pad_top, 0) * self.in_w
        columns = np.maximum(np.arange(self.out_w) * self.stride_w - self.pad_left, 0)
        images = np.arange(self.batches) * self.in_h * self.in_w
        first = (images[:, None, None] + rows[:, None] + columns).reshape(-1) * self.in_c
        needed = np.minimum.accumulate(first[::-1])[::-1]
        done = np.arange(pixels_at_once, self.pixels, pixels_at_once)
        if not done.size:
            return self.batches * self.in_h * self.in_w * self.in_c
        return int((needed[done] - done * self.out_c).min())


def read_window(site: Site, *, kernel: tuple[int, int]) -> Window:
    """The window of a convolution or a pool.

    Args:
        site: the op; its first input is the image.
        kernel: height and width of the window.

    Raises:
        OpError: the output is not of the shape that the window makes, or has more than 4 million pixels.
    """
    options = site.op.options
    batches, in_h, in_w, in_c = shape_4d(site.input().shape)
    _, out_h, out_w, out_c = shape_4d(site.output().shape)
    if batches * out_h * out_w > _MOST_PIXELS:
        raise site.refuse(f"its image of {batches * out_h * out_w} pixels is larger than any it is made for")
    stride = (int(options["stride_h"]), int(options["stride_w"]))
    dilation = (int(options.get("dilation_h_factor", 1)), int(options.get("dilation_w_factor", 1)))
    margins = options["margins"] if options["padding"] == EXPLICIT else ((0, 0), (0, 0))
    pads = []
    for size, out, taps, step, gap, (before, after) in zip(
        (in_h, in_w), (out_h, out_w), kernel, stride, dilation, margins, strict=True
    ):
        reach = (taps - 1) * gap + 1
        same = options["padding"] == "SAME"
        if out != (-(-size // step) if same else (before + size + after + step - reach) // step):
            raise site.refuse(f"its output of {out} does not follow from its input of {size}")
        pads.append(max(0, ((out - 1) * step + reach - size) // 2) if same else before)
    return Window(
        batches=batches,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=out_h,
        out_w=out_w,
        out_c=out_c,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        pad_top=pads[0],
        pad_left=pads[1],
    )
