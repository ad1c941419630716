"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: which pixels each output comes from is in tables."""

import math

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.layer import C_TYPES, Constant, Layer, Site, describe, emits, render, shape_4d

_ONE = 1 << 10  # distances have ten bits


@emits("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def emit(site: Site) -> Layer:
    """The image in another size."""
    nearest = site.op.name == "RESIZE_NEAREST_NEIGHBOR"
    if site.input().dtype == "float32" and not nearest:
        return _emit_floats(site)
    dtype = site.input().dtype if nearest and site.input().dtype in C_TYPES else "int8"
    site.require(dtype, site.input(), site.output())
    sizes = _sizes_of(site)
    find = _find_nearest if nearest else _find_neighbours
    rows = find(site, sizes["in_h"], sizes["out_h"])
    columns = find(site, sizes["in_w"], sizes["out_w"])
    function = render(
        f"{site.op.name.lower()}.c",
        name=site.label,
        type=C_TYPES[dtype],
        comment=describe(site),
        **sizes,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(Constant(name="rows", values=rows), Constant(name="columns", values=columns)),
        kernels=("bytes",) if nearest else (),
    )


def _emit_floats(site: Site) -> Layer:
    """RESIZE_BILINEAR of real numbers."""
    site.require("float32", site.output())
    sizes, constants = _sizes_of(site), []
    for name, side in (("rows", "h"), ("columns", "w")):
        places, distances = _find_floats(site, sizes[f"in_{side}"], sizes[f"out_{side}"])
        constants.append(Constant(name=name, values=places))
        constants.append(Constant(name=f"{name}_distances", values=distances))
    function = render("resize_bilinear_float.c", name=site.label, comment=describe(site), **sizes)
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=tuple(constants),
    )


def _sizes_of(site: Site) -> dict[str, int]:
    batches, in_h, in_w, channels = shape_4d(site.input().shape)
    _, out_h, out_w, _ = shape_4d(site.output().shape)
    return {
        "batches": batches,
        "in_h": in_h,
        "in_w": in_w,
        "out_h": out_h,
        "out_w": out_w,
        "channels": channels,
    }


def _find_floats(site: Site, size: int, out: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """(out, 2): both input places; and the distance from the first, for each output place."""
    aligned, centred = site.op.options["align_corners"], site.op.options["half_pixel_centers"]
    whole, parts = (size - 1, out - 1) if aligned and out > 1 else (size, out)
    step = np.float32(whole) / np.float32(parts)
    half = np.float32(0.5 if centred else 0)
    values = (np.arange(out).astype(np.float32) + half) * step - half
    first = np.maximum(np.floor(values), 0).astype(np.int16)
    second = np.minimum(np.ceil(values), size - 1).astype(np.int16)
    return np.stack([first, second], axis=1), values - first.astype(np.float32)


def _find_nearest(site: Site, size: int, out: int) -> NDArray[np.int16]:
    """The input place of each output place, in float32 as TFLM computes it."""
    aligned, centred = site.op.options["align_corners"], site.op.options["half_pixel_centers"]
    offset = np.float32(0.5 if centred else 0)
    step = (
        np.float32(size - 1) / np.float32(out - 1)
        if aligned and out > 1
        else np.float32(size) / np.float32(out)
    )
    places = []
    for place in range(out):
        real = float((np.float32(place) + offset) * step)
        whole = math.floor(real + 0.5) if aligned else math.floor(real)
        places.append(max(0, min(whole, size - 1)))
    return np.array(places, np.int16)


def _find_neighbours(site: Site, size: int, out: int) -> NDArray[np.int16]:
    """(out, 3): both input places and the distance from the first, for each output place."""
    aligned, centred = site.op.options["align_corners"], site.op.options["half_pixel_centers"]
    whole, parts = (size - 1, out - 1) if aligned and out > 1 else (size, out)
    step = (_ONE * whole + parts // 2) // parts
    rows = []
    for place in range(out):
        value = place * step + (step // 2 - _ONE // 2 if centred else 0)
        first = max(int(value / _ONE), 0)  # towards zero, as in C
        second = min(int((value + _ONE - 1) / _ONE), size - 1)
        rows.append((first, second, value - _ONE * first))
    return np.array(rows, np.int16)
