"""What executes the artefact, where somebody asks for something else than the profile names."""

from dataclasses import replace
from typing import Literal

from edgeprune.device.profile import Profile, use_cores
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import BACKENDS


def choose_runtime(profile: Profile, asked: str | None) -> Profile:
    """The profile with the runtime that is asked for.

    Args:
        profile: the device.
        asked: a name in `BACKENDS`, or None for the profile's own.

    Raises:
        UnknownNameError: there is no such runtime.
        RecipeError: the device cannot have it.
    """
    if asked is None or asked == profile.runtime.name:
        return profile
    return BACKENDS[asked].adopt(profile)


def choose_delegate(profile: Profile, asked: Literal["gpu"] | None) -> Profile:
    """The profile with its files on a delegate of LiteRT.

    Args:
        profile: the device.
        asked: "gpu", or None for none.

    Raises:
        RecipeError: the device has none such, or nobody timed it.
    """
    if asked is None:
        return profile
    if profile.kind != "phone":
        raise RecipeError(
            f"{profile.id} has no delegate for a GPU", where="--delegate", fix="choose a phone with --device"
        )
    runtime = replace(profile.runtime, kernels=asked, decodes=())
    return replace(use_cores(profile, asked), runtime=runtime)


def list_runtimes(profile: Profile) -> tuple[str, ...]:
    """The device's runtime, its kernels, and what can take the runtime's place."""
    replacing = (kind.runtime for _, kind in BACKENDS.items() if kind.can_replace(profile))
    return (profile.runtime.name, profile.runtime.kernels, *replacing)
