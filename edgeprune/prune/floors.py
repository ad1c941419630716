"""Limits that a recipe sets for single layers, as numbers of channels."""

from collections.abc import Mapping

import numpy as np

from edgeprune.config.build_options import LayerLimit
from edgeprune.errors import RecipeError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import find_layers
from edgeprune.prune.limits import Floor


def set_floors(channels: ChannelMap, limits: Mapping[str, LayerLimit]) -> tuple[Floor, ...]:
    """How many channels each layer that a pattern means must keep, counted in the model as it is now.

    Args:
        channels: of the dense model.
        limits: pattern of layer names → what must hold; where several patterns mean a layer, all hold.

    Raises:
        RecipeError: a pattern matches no layer, or only layers without channels that may go.
    """
    floors = []
    for pattern, limit in limits.items():
        key = f'layers."{pattern}"'
        found = [
            Floor(layer=layer, family=channels.family_names[family], count=count)
            for layer in find_layers(channels, pattern, asked_by=key)
            for family, count in _counts(channels, layer, limit)
        ]
        if not found:
            raise RecipeError(
                f"'{pattern}' matches only layers that lose no channels anyway",
                where=key,
                fix="'edgeprune inspect MODEL' says what can be pruned; remove the table or correct its name",
            )
        floors += found
    return tuple(floors)


def _counts(channels: ChannelMap, layer: str, limit: LayerLimit) -> list[tuple[int, int]]:
    """Family and least number of channels of a layer, for its families that may lose any."""
    groups = channels.made[layer]
    counts = []
    for family in np.unique(channels.family[groups[channels.prunable[groups]]]).tolist():
        width = int(np.count_nonzero(channels.family[groups] == family))
        by_ratio = int(np.ceil(width * (1 - limit.max_ratio) - 1e-9))
        counts.append((family, min(width, max(limit.min_channels, by_ratio))))
    return counts
