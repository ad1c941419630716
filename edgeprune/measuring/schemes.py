"""Which schemes a device's runtime can execute; known before anything is opened."""

from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import backend_of
from edgeprune.tflite.schemes import SCHEMES, choose_io_type


def refuse_scheme(scheme: str, profile: Profile, *, io_type: str | None = None) -> None:
    """Raises where no file of this scheme can run on the device.

    Args:
        scheme: a name in `SCHEMES`.
        profile: the device.
        io_type: type of inputs and outputs; None for the scheme's default.

    Raises:
        UnknownNameError: there is no such scheme.
        RecipeError: the runtime cannot execute it, or its files do not have this type of inputs and outputs.
    """
    choose_io_type(scheme, io_type)
    backend = backend_of(profile)
    reason = backend.refuse_scheme(SCHEMES[scheme])
    if reason is None:
        return
    possible = [name for name, other in SCHEMES.items() if backend.refuse_scheme(other) is None]
    raise RecipeError(
        f"{backend.label} on {profile.id} cannot execute files of the scheme {scheme}",
        where="--scheme",
        why=reason,
        fix=f"use --scheme {' or '.join(filter(None, (', '.join(possible[:-1]), possible[-1])))}",
    )


def can_execute(scheme: str, profile: Profile) -> bool:
    """Whether files of this scheme can run on the device, as far as one can tell without a file."""
    return backend_of(profile).refuse_scheme(SCHEMES[scheme]) is None
