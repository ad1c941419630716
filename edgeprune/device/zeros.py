"""What zeros among the weights, or few values for many, buy on a device, before any training is spent."""

from dataclasses import dataclass

from edgeprune.device.profile import Profile
from edgeprune.device.runtime import name_runtime
from edgeprune.errors import RecipeError
from edgeprune.prune.masks import Pattern


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What zeros of a pattern buy.

    Attributes:
        flash, latency: whether they may make the file smaller, or inference faster.
        reason: the sentence that explains it.
    """

    flash: bool = False
    latency: bool = False
    reason: str

    @property
    def useful(self) -> bool:
        """Whether they buy anything."""
        return self.flash or self.latency


def value_zeros(profile: Profile, pattern: Pattern, *, scheme: str = "int8") -> Worth:
    """What the device's runtime makes of zeros.

    Args:
        profile: the device.
        pattern: of the masks.
        scheme: how the file is quantized.
    """
    runtime = f"{name_runtime(profile)} on {profile.id}"
    decodes = profile.runtime.decodes
    if "tflm-prune" in decodes:
        if pattern.kind == "n_of_m":
            return Worth(
                reason=f"{pattern} buys nothing on {runtime}: no kernel skips weights in groups, and its "
                "DECODE op stores zeros anywhere as small, so the pattern would only cost accuracy"
            )
        return Worth(
            flash=True,
            reason=f"zeros save flash on {runtime}: its DECODE op stores one bit per weight and the others; "
            "they cost arena and instructions, for unpacking",
        )
    if profile.runtime.name == "c":
        return Worth(
            flash=True,
            latency=True,
            reason=f"zeros save flash and time on {runtime}: a layer with enough of them stores and "
            "multiplies only its other weights",
        )
    if "vela" in decodes:
        return Worth(
            flash=True,
            reason=f"zeros save flash on {runtime}: Vela compresses weights; they save little time",
        )
    if "xnnpack-sparse" in decodes:
        if pattern.kind == "n_of_m" or scheme != "none":
            what = f"{pattern} buys" if pattern.kind == "n_of_m" else f"zeros in an {scheme} file buy"
            return Worth(
                reason=f"{what} nothing on {runtime}: XNNPACK's sparse kernels are for float files "
                "with zeros anywhere, and a dense int8 file is smaller and mostly faster"
            )
        return Worth(
            latency=True,
            reason=f"zeros may save time on {runtime}: XNNPACK has sparse kernels for 1×1 convolutions of "
            "floats, more than two thirds zeros, in networks of a certain shape; 'edgeprune compress' tells",
        )
    return Worth(reason=f"zeros buy nothing on {runtime}: it stores and multiplies them like other weights")


def require_worth(profile: Profile, pattern: Pattern, *, scheme: str = "int8", accept_no_gain: bool) -> Worth:
    """The worth of zeros that somebody asked for.

    Raises:
        RecipeError: they buy nothing, and nobody said that this is known.
    """
    worth = value_zeros(profile, pattern, scheme=scheme)
    if not worth.useful and not accept_no_gain:
        instead = (
            "--mask unstructured"
            if value_zeros(profile, Pattern(), scheme=scheme).useful
            else "channels alone"
        )
        raise RecipeError(
            f"no gain from --mask {pattern}" if pattern.kind == "n_of_m" else "no gain from --sparsity",
            where=profile.id,
            why=worth.reason,
            fix=f"use {instead}, or pass --accept no-gain to have these zeros all the same",
        )
    return worth


def value_clusters(profile: Profile) -> Worth:
    """What the device's runtime makes of few values for many weights.

    Args:
        profile: the device.
    """
    runtime = f"{name_runtime(profile)} on {profile.id}"
    if "tflm-prune" in profile.runtime.decodes:
        return Worth(
            flash=True,
            reason=f"clusters save flash on {runtime}: its DECODE op stores a short index for each weight; "
            "they cost arena and instructions, for unpacking",
        )
    if "vela" in profile.runtime.decodes:
        return Worth(
            reason=f"clusters buy nothing on {runtime}: Vela wants few values in a whole tensor, and scales "
            "per output make them many"
        )
    return Worth(reason=f"clusters buy nothing on {runtime}: it stores every weight whole")


def require_cluster_worth(profile: Profile, *, accept_no_gain: bool) -> Worth:
    """The worth of clusters that somebody asked for.

    Raises:
        RecipeError: they buy nothing, and nobody said that this is known.
    """
    worth = value_clusters(profile)
    if not worth.useful and not accept_no_gain:
        raise RecipeError(
            "no gain from --clusters",
            where=profile.id,
            why=worth.reason,
            fix="use channels alone, or pass --accept no-gain to have clusters all the same",
        )
    return worth
