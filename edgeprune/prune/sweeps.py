"""What to switch off to learn how sensitive each family is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.channels import ChannelMap
from edgeprune.prune.criteria import Scores
from edgeprune.prune.families import rank_families

RATIOS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 10))
"""Shares of a family that are switched off."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sweep:
    """The least important channels of one family, in growing numbers.

    Attributes:
        family: its name.
        order: (channels,) its groups that may go, the least important first.
        counts: how many of them are switched off, one measurement after the other; increasing, from 1.
        ratios: the ratios asked for, one number of `counts` or 0 each: narrow families cannot give all.
        count_of: (ratios,) how many channels each of them means.
    """

    family: str
    order: Ids
    counts: npt.NDArray[np.int64]
    ratios: tuple[float, ...]
    count_of: npt.NDArray[np.int64]


def plan_sweeps(
    channels: ChannelMap, *, scores: Scores, ratios: Sequence[float] = RATIOS
) -> tuple[Sweep, ...]:
    """One sweep for each family that may lose channels.

    Args:
        channels: the groups.
        scores: (groups,) importance.
        ratios: fractions of the channels that may go, in (0, 1), increasing; no tensor loses all it has.
    """
    sweeps = []
    for f, family in rank_families(channels, scores).items():
        most = len(family.order) - family.needed
        count_of = np.minimum(np.rint(np.array(ratios) * len(family.order)), most).astype(np.int64)
        if most > 0:
            sweeps.append(
                Sweep(
                    family=channels.family_names[f],
                    order=family.order,
                    counts=np.unique(count_of[count_of > 0]),
                    ratios=tuple(ratios),
                    count_of=count_of,
                )
            )
    return tuple(sweeps)
