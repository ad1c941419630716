"""The artefact's outputs in several runtimes."""

from typing import TypedDict

from edgeprune.report.section import Proof


class RuntimePart(TypedDict):
    """One runtime against the reference, element by element.

    Differences are in quantization steps (None for outputs that have none), as real numbers, and as a
    fraction of the output's range. All are None where the runtime did not run; `unavailable` says why not.
    """

    kind: str
    runtime: str
    max_difference_steps: int | None
    max_difference: float | None
    max_difference_fraction: float | None
    differing_elements: int | None
    elements: int | None
    changed_top1: int | None
    samples: int | None
    unavailable: str


class AgreementPart(TypedDict):
    """The artefact's outputs in several runtimes, on `samples` test samples of `elements` outputs in all."""

    reference: str
    samples: int
    elements: int
    note: str
    runtimes: list[RuntimePart]


def _say(agreement: AgreementPart) -> list[str]:
    return [describe_runtime(row, agreement) for row in agreement["runtimes"]]


def describe_runtime(row: RuntimePart, agreement: AgreementPart) -> str:
    """One sentence on a runtime against the reference."""
    if row["unavailable"]:
        return f"{row['runtime']} was not compared: {row['unavailable']}."
    gap = (
        f"{row['max_difference_fraction']:.1e} of the range"
        if row["max_difference_steps"] is None
        else f"{row['max_difference_steps']} quantization steps"
    )
    return (
        f"{row['runtime']} against {agreement['reference']} on {row['samples']} samples: "
        f"{row['differing_elements']} of {row['elements']} outputs differ, by at most {gap}; "
        f"{row['changed_top1']} answers change. {agreement['note']}"
    ).strip()


AGREEMENT = Proof(reads="agreement", say=_say)
