"""Whether zeros are worth leaving out: a layer's weights dense or sparse, as the binding budget has it.

A kernel's instructions are a law of three terms, fitted by `scripts/fit_sparse.py` to counts in the
emulator. For windows the laws meet at about 30 % of zeros without SIMD, at 70 % with SMLAD, and beyond 95 %
with Helium, which multiplies sixteen weights at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune.firmware.c.lanes import Parts, pack_sparse
from edgeprune.firmware.c.layer import Instructions, Site
from edgeprune.firmware.c.scaling import Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Instructions of a kernel.

    Attributes:
        per_product: for each product of a weight that is stored and an input.
        per_output: for each output.
        per_input: for each input of each window, which is gathered first.
    """

    per_product: float
    per_output: float
    per_input: float = 0.0

    def count(self, *, products: int, outputs: int, inputs: int = 0) -> float:
        """Instructions of a layer."""
        return self.per_product * products + self.per_output * outputs + self.per_input * inputs


# Dense first, then sparse.
_WINDOWS: Mapping[Instructions, tuple[Pace, Pace]] = {
    "plain": (
        Pace(per_product=1.93, per_output=83.9, per_input=8.1),
        Pace(per_product=2.51, per_output=81.1, per_input=9.7),
    ),
    "dsp": (
        Pace(per_product=0.74, per_output=16.8, per_input=3.1),
        Pace(per_product=1.96, per_output=18.6, per_input=4.7),
    ),
    "mve": (
        Pace(per_product=0.15, per_output=8.6, per_input=0.8),
        Pace(per_product=1.84, per_output=19.7, per_input=4.5),
    ),
}
_ROWS: Mapping[Instructions, tuple[Pace, Pace]] = {
    "plain": (Pace(per_product=3.53, per_output=88.5), Pace(per_product=11.5, per_output=74.2)),
    "dsp": (Pace(per_product=1.10, per_output=17.0), Pace(per_product=9.95, per_output=25.0)),
    "mve": (Pace(per_product=0.28, per_output=12.3), Pace(per_product=8.77, per_output=27.5)),
}


def pack_if_sparse(site: Site, weights: Integers, *, pixels: int) -> Parts | None:
    """The weights of a convolution without zeros, or None where dense ones are better.

    Args:
        site: the op.
        weights: (channels, inputs of a window).
        pixels: of the output.
    """
    if site.optimize == "ram" and site.instructions != "plain":
        return None  # the inputs of eight pixels are gathered, not of two
    dense, sparse = count_windows(site, weights, pixels=pixels)
    is_chosen = is_better(site, weights, dense=dense, sparse=sparse)
    return pack_sparse(weights, in_halves=site.instructions == "plain") if is_chosen else None


def count_windows(site: Site, weights: Integers, *, pixels: int) -> tuple[float, float]:
    """Instructions of a convolution with dense and with sparse weights, estimated.

    Args:
        site: the op.
        weights: (channels, inputs of a window).
        pixels: of the output.
    """
    channels, depth = weights.shape
    dense, sparse = _WINDOWS[site.instructions]
    computed = -(-pixels // 8) * 8
    return (
        dense.count(products=pixels * weights.size, outputs=pixels * channels, inputs=pixels * depth),
        sparse.count(
            products=computed * np.count_nonzero(weights),
            outputs=computed * channels,
            inputs=computed * depth,
        ),
    )


def pack_if_sparse_rows(site: Site, weights: Integers) -> Parts | None:
    """The same of a matrix, whose rows of inputs are multiplied one by one.

    Args:
        site: the op.
        weights: (channels, inputs).
    """
    channels = len(weights)
    dense, sparse = _ROWS[site.instructions]
    is_chosen = is_better(
        site,
        weights,
        dense=dense.count(products=weights.size, outputs=channels),
        sparse=sparse.count(products=np.count_nonzero(weights), outputs=channels),
    )
    return pack_sparse(weights, in_halves=False) if is_chosen else None


def is_better(site: Site, weights: Integers, *, dense: float, sparse: float) -> bool:
    """Whether a layer's zeros are left out.

    Args:
        site: the op.
        weights: (channels, inputs); two bytes are stored for each that is not 0, and about three per channel.
        dense: instructions with zeros.
        sparse: instructions without.
    """
    if site.optimize == "size":
        return 2 * np.count_nonzero(weights) + 3 * len(weights) < weights.size
    return sparse < dense
