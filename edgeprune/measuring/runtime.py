"""What executes the artefact, where somebody asks for another runtime than the profile names."""

from edgeprune.device.profile import Profile
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


def list_runtimes(profile: Profile) -> tuple[str, ...]:
    """The device's runtime, its kernels, and what can take the runtime's place."""
    replacing = (kind.runtime for _, kind in BACKENDS.items() if kind.can_replace(profile))
    return (profile.runtime.name, profile.runtime.kernels, *replacing)
