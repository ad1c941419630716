"""The channels that may go, family by family, and the blocks in which they go."""

from dataclasses import dataclass

import numpy as np

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.surgery import Kept
from edgeprune.prune.criteria import Scores
from edgeprune.prune.limits import Floor, Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The groups of a family that may go, in their order.

    Attributes:
        order: the groups in the order in which they go.
        needed: how many at the end of it must stay.
    """

    order: Ids
    needed: int


def family_widths(channels: ChannelMap) -> dict[str, int]:
    """Family name → number of its channels that may go."""
    counts = np.bincount(channels.family[channels.prunable], minlength=len(channels.family_names))
    return {name: int(count) for name, count in zip(channels.family_names, counts, strict=True) if count}


def count_kept(channels: ChannelMap, kept: Kept) -> dict[str, int]:
    """Family name → number of its channels that may go and stay."""
    left = channels.family[channels.prunable & kept]
    counts = np.bincount(left, minlength=len(channels.family_names))
    whole = family_widths(channels)
    return {
        name: int(count) for name, count in zip(channels.family_names, counts, strict=True) if name in whole
    }


def rank_families(
    channels: ChannelMap, scores: Scores, *, floors: tuple[Floor, ...] = ()
) -> dict[int, Family]:
    """The families that have groups which may go, the least important groups first.

    No tensor may lose all its channels, so the most important one of each stays. One per family would not do:
    where a concatenation of two layers is added to a third, one family spans all three. Floors of layers are
    held in the same way.
    """
    prunable, needed = channels.prunable, np.zeros(channels.groups, dtype=bool)
    for floor in floors:
        groups = channels.made.get(floor.layer, np.zeros(0, np.int64))
        groups = groups[[channels.family_names[f] == floor.family for f in channels.family[groups]]]
        # What cannot go anyway counts first.
        ranked = groups[np.lexsort((scores[groups], ~prunable[groups]))]
        needed[ranked[max(0, len(ranked) - floor.count) :]] = True
    for groups in channels.carriers():
        if prunable[groups].all():
            needed[groups[np.argmax(scores[groups])]] = True
    going = np.flatnonzero(prunable)
    going = going[np.lexsort((scores[going], needed[going]))]
    by_family = {int(f): going[channels.family[going] == f] for f in np.unique(channels.family[going])}
    return {f: Family(order=order, needed=int(needed[order].sum())) for f, order in by_family.items()}


def least_width(channels: ChannelMap, f: int, *, family: Family, limits: Limits, width: int) -> int:
    """How many of the groups of a family that may go must stay; `width` of them are left."""
    least = limits.min_channels if channels.units[f] == "channels" else 1
    return max(
        min(least, width),
        family.needed,
        int(np.ceil(len(family.order) * (1 - limits.max_ratio))),
        limits.least_widths.get(channels.family_names[f], 0),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """Groups of a family that go together: as many as bring its width to the next multiple of the alignment.

    Attributes:
        groups: the groups.
        loss: the sum of their scores, more of it the less of the family is left without them; see
            `Limits.evenness`.
        share: of the family's groups that may go, what fraction is gone once this block and those before are.
    """

    groups: Ids
    loss: float
    share: float


def cut_blocks(channels: ChannelMap, scores: Scores, *, limits: Limits) -> dict[int, tuple[Block, ...]]:
    """Family → its blocks in the order in which they go, down to its least width."""
    cut, groups_of = {}, np.bincount(channels.family, minlength=len(channels.family_names))
    for f, family in rank_families(channels, scores, floors=limits.floors).items():
        align = limits.round_to if channels.units[f] == "channels" else 1
        total = width = len(family.order)
        fixed = int(groups_of[f]) - total
        dense = fixed + limits.dense_widths.get(channels.family_names[f], total)
        blocks = []
        while width > 0:
            target = (width - 1) // align * align
            if target < least_width(channels, f, family=family, limits=limits, width=width):
                break
            groups = family.order[total - width : total - target]
            left = max(fixed + target, 1) / dense
            loss = float(scores[groups].sum()) / left**limits.evenness
            blocks.append(Block(groups=groups, loss=loss, share=1 - target / total))
            width = target
        cut[f] = tuple(blocks)
    return cut
