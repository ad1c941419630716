"""Layers that must stay as they are, because somebody said so."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from edgeprune.errors import RecipeError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.report.sections.frozen import FrozenPart

_SUGGESTIONS = 3
_REASONS = 3


def keep_layers(channels: ChannelMap, patterns: Sequence[str]) -> ChannelMap:
    """The same channels, with those that the matching layers make or pass on frozen.

    Args:
        channels: of a graph.
        patterns: as `find_layers` takes them.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    frozen, kept_layers = list(channels.frozen), dict(channels.kept_layers)
    for pattern in patterns:
        reason = f"kept by --keep {pattern}"
        for layer in find_layers(channels, pattern, asked_by=f"--keep {pattern}"):
            kept_layers.setdefault(layer, reason)
            for group in channels.made[layer].tolist():
                frozen[group] = frozen[group] or reason
    return replace(channels, frozen=tuple(frozen), kept_layers=kept_layers)


def summarise_reasons(channels: ChannelMap) -> str:
    """Why channels stay, the reasons of most channels first; "" if all may go."""
    counted = Counter(
        reason
        for reason, family in zip(channels.frozen, channels.family.tolist(), strict=True)
        if reason and channels.units[family] != "slices"
    )
    return "; ".join(reason for reason, _ in counted.most_common(_REASONS))


def find_layers(channels: ChannelMap, pattern: str, *, asked_by: str) -> list[str]:
    """The names of the layers that a pattern means, in the order in which they run.

    Args:
        channels: of a graph.
        pattern: a layer's name, with `*`, `?` and `[…]` as in a shell; the name of a nested model means all
            of its layers.
        asked_by: the flag or key, for the message.

    Raises:
        RecipeError: there is none.
    """
    found = [
        name
        for name in channels.made
        if name == pattern or fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}/*")
    ]
    if not found:
        near = get_close_matches(pattern, channels.made, n=_SUGGESTIONS, cutoff=0.4)
        named = near or list(channels.made)[:_SUGGESTIONS]
        raise RecipeError(
            f"'{pattern}' matches no layer",
            where=asked_by,
            fix=("the nearest are " if near else "the first layers are ")
            + ", ".join(f"'{name}'" for name in named)
            + "; 'edgeprune inspect MODEL' lists them all",
        )
    return found


def list_frozen(graph: LayerGraph, channels: ChannelMap) -> list[FrozenPart]:
    """Channels that stay, by the layer that makes them, with the reason."""
    counted: Counter[tuple[str, str]] = Counter()
    for group in np.flatnonzero(~channels.prunable).tolist():
        family = channels.family_names[channels.family[group]]
        counted[family, channels.frozen[group]] += 1
    return [
        {"layer": layer, "channels": count, "reason": reason}
        for (layer, reason), count in counted.items()
        if layer in graph.layers
    ]
