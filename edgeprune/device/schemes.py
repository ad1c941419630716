"""Which schemes a device's runtime can execute; known before anything is opened."""

from edgeprune.device.profile import Profile
from edgeprune.device.runtime import name_runtime
from edgeprune.errors import RecipeError
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import judge_types
from edgeprune.tflite.schemes import SCHEMES, Scheme, choose_io_type


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
    reason = _find_obstacle(SCHEMES[scheme], profile)
    if reason is None:
        return
    possible = [name for name, other in SCHEMES.items() if _find_obstacle(other, profile) is None]
    raise RecipeError(
        f"{name_runtime(profile)} on {profile.id} cannot execute files of the scheme {scheme}",
        where="--scheme",
        why=reason,
        fix=f"use --scheme {' or '.join(filter(None, (', '.join(possible[:-1]), possible[-1])))}",
    )


def can_execute(scheme: str, profile: Profile) -> bool:
    """Whether files of this scheme can run on the device, as far as one can tell without a file."""
    return _find_obstacle(SCHEMES[scheme], profile) is None


def _find_obstacle(scheme: Scheme, profile: Profile) -> str | None:
    """Why the runtime cannot execute what every file of the scheme holds; LiteRT can execute all of them."""
    if profile.runtime.name == "litert":
        return None
    if profile.runtime.name == "c":
        return None if scheme.name == "int8" else "the C engine has kernels for int8 alone"
    use = scheme.always
    verdict = judge_types(OPS[use.op], use.activation, weights=use.weights or None)
    hybrid = scheme.activations == "float32" and scheme.weights == "int8"
    return verdict and f"{'hybrid models: ' if hybrid else ''}{use.op}: {verdict[0]}"
