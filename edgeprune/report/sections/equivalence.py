"""The proof that removing channels did nothing else."""

from collections.abc import Sequence
from typing import TypedDict

from edgeprune.report.section import Proof


class EquivalencePart(TypedDict):
    """Masked against compacted model after one rebuild; `error` is a fraction of the output's range."""

    step: int
    error: float
    samples: int
    tolerance: float


def _say(proofs: Sequence[EquivalencePart]) -> list[str]:
    worst = max(proofs, key=lambda proof: proof["error"])
    rebuilds = f"{len(proofs)} rebuilds" if len(proofs) > 1 else "one rebuild"
    return [
        f"Removing channels changed nothing else: in {rebuilds} the compacted model differed "
        f"from the masked one by at most {worst['error']:.1e} of the output's range on "
        f"{worst['samples']} samples ({worst['tolerance']:.0e} allowed)."
    ]


EQUIVALENCE = Proof(reads="equivalence", say=_say)
