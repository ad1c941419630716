"""How far two runs of the same samples agree, element by element."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgeprune.errors import DataError
from edgeprune.runtimes.samples import Outputs


class Run(Protocol):
    """Anything with outputs: a `LitertRun`, a `TflmRun`."""

    @property
    def outputs(self) -> tuple[Outputs, ...]:
        """One entry per output of the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How far two runs agree.

    Attributes:
        samples: how many samples were compared.
        elements: how many output elements, over all outputs and samples.
        differing: how many of them are not equal.
        max_steps: largest difference in quantization steps, over the quantized outputs.
        max_difference: largest difference as real numbers, over all outputs.
        changed_top1: samples whose largest element is another one, over outputs of at least two elements.
    """

    samples: int
    elements: int
    differing: int
    max_steps: int
    max_difference: float
    changed_top1: int

    @property
    def is_exact(self) -> bool:
        """Whether every element is the same."""
        return self.differing == 0


def compare_runs(first: Run, second: Run) -> Agreement:
    """How far two runs of the same samples agree.

    Raises:
        DataError: they have different numbers, shapes or types of outputs.
    """
    if len(first.outputs) != len(second.outputs):
        raise DataError(f"the runs have {len(first.outputs)} and {len(second.outputs)} outputs")
    samples = elements = differing = max_steps = changed_top1 = 0
    max_difference = 0.0
    for one, other in zip(first.outputs, second.outputs, strict=True):
        if (one.raw.shape, one.raw.dtype) != (other.raw.shape, other.raw.dtype):
            raise DataError(
                f"outputs are {one.raw.dtype}{one.raw.shape} and {other.raw.dtype}{other.raw.shape}",
                why="the runs are not of the same artefact and samples",
            )
        samples = max(samples, len(one.raw))
        elements += one.raw.size
        unequal = one.raw != other.raw
        if one.raw.dtype.kind == "f":
            unequal &= ~(np.isnan(one.raw) & np.isnan(other.raw))
        differing += int(unequal.sum())
        if one.raw.size and one.raw.dtype.kind in "iu":
            steps = np.abs(one.raw.astype(np.int64) - other.raw.astype(np.int64))
            max_steps = max(max_steps, int(steps.max()))
        if one.raw.size:
            # NaN against a number is as far apart as can be.
            gaps = np.abs(one.values - other.values)[unequal]
            max_difference = max(max_difference, float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0)))
        flat, flat_other = (outputs.raw.reshape(len(outputs.raw), -1) for outputs in (one, other))
        if flat.shape[1] > 1:
            changed_top1 += int((flat.argmax(1) != flat_other.argmax(1)).sum())
    return Agreement(
        samples=samples,
        elements=elements,
        differing=differing,
        max_steps=max_steps,
        max_difference=max_difference,
        changed_top1=changed_top1,
    )
