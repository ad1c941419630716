"""Plans that remove a fraction of all channels, budgets aside."""

import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import summarise_reasons
from edgeprune.graph.surgery import Kept
from edgeprune.prune.criteria import Scores
from edgeprune.prune.families import least_width, rank_families
from edgeprune.prune.limits import Limits


def remove_ratio(channels: ChannelMap, *, scores: Scores, ratio: float, limits: Limits) -> Kept:
    """A plan that removes a fraction of all prunable channels, budgets aside.

    Args:
        channels: the groups.
        scores: (groups,) importance.
        ratio: fraction of channels that go, in [0, 1).
        limits: alignment, least widths and scope.

    Raises:
        InfeasibleError: nothing can be removed.
    """
    kept = channels.everything
    families = rank_families(channels, scores, floors=limits.floors)
    if limits.scope == "global" and families:
        everyone = np.concatenate([family.order for family in families.values()])
        ranked = everyone[np.argsort(scores[everyone], kind="stable")]
        going = np.zeros(channels.groups, dtype=bool)
        going[ranked[: round(ratio * len(everyone))]] = True
        wanted = {f: np.count_nonzero(going[family.order]) for f, family in families.items()}
    else:
        wanted = {f: round(ratio * len(family.order)) for f, family in families.items()}
    for f, family in families.items():
        width = len(family.order)
        least = least_width(channels, f, family=family, limits=limits, width=width)
        left = min(width, max(width - wanted[f], least))
        if channels.units[f] == "channels":
            left = min(width, -(-left // limits.round_to) * limits.round_to)
        kept[family.order[: width - left]] = False
    if ratio > 0 and kept.all():
        raise InfeasibleError(
            "no channel of this model may be removed",
            why=summarise_reasons(channels) or "its layers are too narrow",
            fix="'edgeprune inspect MODEL' lists the reasons per layer",
        )
    return kept
