"""What executes the artefact, where somebody asks for another runtime than the profile names."""

from dataclasses import replace
from typing import Literal

from edgeprune import __version__
from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError

Choice = Literal["tflm", "c"]

_NAMES = {"c": "the C engine"}


def choose_runtime(profile: Profile, asked: Choice | None) -> Profile:
    """The profile with the runtime that is asked for.

    The C engine has kernels of its own, for microcontrollers without an NPU; it decodes nothing at run time.

    Args:
        profile: the device.
        asked: "tflm", "c", or None for the profile's own.

    Raises:
        RecipeError: the device cannot have it.
    """
    if asked is None or asked == profile.runtime.name:
        return profile
    if profile.kind != "mcu" or asked == "tflm":
        raise RecipeError(
            f"{profile.id} runs {name_runtime(profile)}, not {_NAMES.get(asked, asked)}",
            where="--runtime",
            fix="leave --runtime out, or choose a microcontroller with --device",
        )
    if profile.npu is not None:
        raise RecipeError(
            f"the C engine does not use the NPU of {profile.id}",
            where="--runtime",
            fix="use --runtime tflm, or a profile of the core alone",
        )
    engine = replace(profile.runtime, name="c", version=__version__, kernels="edgeprune", decodes=())
    return replace(profile, runtime=engine)


def name_runtime(profile: Profile) -> str:
    """What people call the profile's runtime."""
    return _NAMES.get(profile.runtime.name, profile.runtime.name)
