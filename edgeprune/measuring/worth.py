"""Zeros or clusters that somebody asked for are refused where they buy nothing, before training is spent."""

from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Worth
from edgeprune.prune.masks import Pattern


def require_worth(profile: Profile, pattern: Pattern, *, scheme: str = "int8", accept_no_gain: bool) -> Worth:
    """The worth of zeros that somebody asked for.

    Raises:
        RecipeError: they buy nothing, and nobody said that this is known.
    """
    backend = backend_of(profile)
    worth = backend.value_zeros(pattern, scheme=scheme)
    if not worth.useful and not accept_no_gain:
        instead = (
            "--mask unstructured"
            if backend.value_zeros(Pattern(), scheme=scheme).useful
            else "channels alone"
        )
        raise RecipeError(
            f"no gain from --mask {pattern}" if pattern.kind == "n_of_m" else "no gain from --sparsity",
            where=profile.id,
            why=worth.reason,
            fix=f"use {instead}, or pass --accept-no-gain to have these zeros all the same",
        )
    return worth


def require_cluster_worth(profile: Profile, *, accept_no_gain: bool) -> Worth:
    """The worth of clusters that somebody asked for.

    Raises:
        RecipeError: they buy nothing, and nobody said that this is known.
    """
    worth = backend_of(profile).value_clusters()
    if not worth.useful and not accept_no_gain:
        raise RecipeError(
            "no gain from --clusters",
            where=profile.id,
            why=worth.reason,
            fix="use channels alone, or pass --accept-no-gain to have clusters all the same",
        )
    return worth
