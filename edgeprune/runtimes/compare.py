"""How far two runs of the same samples agree, element by element."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgeprune.errors import DataError
from edgeprune.runtimes.samples import Outputs

_MANY_STEPS = 1e9
"""Where an infinite difference ends."""


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
        max_steps: largest difference in quantization steps; None where no output has steps.
        max_difference: largest difference as real numbers, over all outputs.
        max_fraction: largest difference as a fraction of the range of its output in the first run.
        changed_top1: samples whose largest element is another one, over outputs of at least two elements.
    """

    samples: int
    elements: int
    differing: int
    max_steps: int | None
    max_difference: float
    max_fraction: float
    changed_top1: int

    @property
    def is_exact(self) -> bool:
        """Whether every element is the same."""
        return self.differing == 0


def compare_runs(first: Run, second: Run, *, step_sizes: Sequence[float] | None = None) -> Agreement:
    """How far two runs of the same samples agree.

    Args:
        first: its outputs.
        second: likewise.
        step_sizes: one quantization step of each output as a real number, 0 for none, where a float output is
            made of integers; else integer outputs count in steps of 1, and float outputs have none.

    Raises:
        DataError: they have different numbers, shapes or types of outputs.
    """
    if len(first.outputs) != len(second.outputs):
        raise DataError(f"the runs have {len(first.outputs)} and {len(second.outputs)} outputs")
    samples = elements = differing = changed_top1 = 0
    max_difference = max_fraction = 0.0
    max_steps: int | None = None
    sizes = step_sizes or [0.0] * len(first.outputs)
    for one, other, size in zip(first.outputs, second.outputs, sizes, strict=True):
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
            max_steps = max(max_steps or 0, int(steps.max()))
        if one.raw.size:
            # NaN against a number is as far apart as can be.
            gaps = np.abs(one.values - other.values)[unequal]
            gap = float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))
            max_difference = max(max_difference, gap)
            max_fraction = max(max_fraction, gap / (float(np.ptp(one.values)) or 1.0))
            if size and one.raw.dtype.kind == "f":
                max_steps = max(max_steps or 0, round(min(gap / size, _MANY_STEPS)))
        flat, flat_other = (outputs.raw.reshape(len(outputs.raw), -1) for outputs in (one, other))
        if flat.shape[1] > 1:
            changed_top1 += int((flat.argmax(1) != flat_other.argmax(1)).sum())
    return Agreement(
        samples=samples,
        elements=elements,
        differing=differing,
        max_steps=max_steps,
        max_difference=max_difference,
        max_fraction=max_fraction,
        changed_top1=changed_top1,
    )
