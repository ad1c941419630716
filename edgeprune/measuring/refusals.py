"""What TFLM and LiteRT cannot execute, in sentences."""

from edgeprune.device.profile import Profile
from edgeprune.errors import EdgepruneError
from edgeprune.measuring.records import Refusal
from edgeprune.runtimes.vela import ETHOS_U_OP
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import Runtime, unsupported_ops


def refuse_ops(model: Model, *, runtime: Runtime) -> Refusal | None:
    """A sentence for each op that the runtime cannot execute; None where there is none.

    Args:
        model: the file, read.
        runtime: "tflm" or "litert".
    """
    reasons = tuple(
        f"{item.op} ({item.dtype}): {item.reason}; {item.fix}"
        for item in unsupported_ops(model, runtime=runtime)
    )
    return Refusal(reasons=reasons) if reasons else None


def refuse_compiled(model: Model, *, runtime: Runtime, profile: Profile) -> Refusal | None:
    """The same on a device without an NPU, which does not execute what Vela compiled either."""
    refusal = refuse_ops(model, runtime=runtime)
    if not any(op.name == ETHOS_U_OP for op in model.ops):
        return refusal
    reason = f"{ETHOS_U_OP}: {profile.id} has no NPU; give the file as it was before Vela"
    return Refusal(reasons=(*(refusal.reasons if refusal else ()), reason))


def say_without_place(error: EdgepruneError) -> str:
    """A runtime's refusal as one of the reasons of a `Refusal`: the file is known there."""
    return type(error)(error.what, why=error.why, fix=error.fix).message


def list_reasons(refusal: Refusal | None) -> tuple[str, ...]:
    """The reasons, none where nothing is refused."""
    return refusal.reasons if refusal else ()
