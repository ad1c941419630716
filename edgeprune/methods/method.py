"""What may be done to weights so that they are stored in fewer bytes: zeros, or few values for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from edgeprune.build.artefact import encode_for_device
from edgeprune.build.job import Job, plan_recovery, with_epochs
from edgeprune.build.request import Shaping
from edgeprune.errors import InfeasibleError
from edgeprune.methods.clustering import Clustering, cluster, cluster_at_once
from edgeprune.methods.sparsity import Zeroing, sparsify, sparsify_at_once
from edgeprune.progress import Progress
from edgeprune.prune.masks import UNSTRUCTURED, Pattern, Zeros
from edgeprune.tflite.strip import strip

if TYPE_CHECKING:
    import keras

Candidate = TypeVar("Candidate")

SPARSITIES = tuple(round(0.3 + 0.05 * i, 2) for i in range(14))
"""Sparsities that may be chosen where none was asked for, up to 0.95."""
VALUES = (64, 32, 16, 8, 4)
"""Values per output that may be chosen: indices of 6 to 2 bits."""
FLASH_SLACK = 0.01
"""Kept below the flash budget while zeros are planned: fine-tuning changes which weights are zero."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shaped:
    """A model whose weights were shaped.

    Attributes:
        model: the Keras model, fine-tuned.
        accuracy: its metric on validation data.
        zeros: name of a kernel → (outputs, weights per output), True where it is zero; empty for clusters.
        note: what was done, as a clause.
    """

    model: keras.Model
    accuracy: float
    zeros: Mapping[str, Zeros] = field(default_factory=dict)
    note: str


def shape_weights(
    job: Job, model: keras.Model, shaping: Shaping, *, epochs: int, progress: Progress
) -> Shaped:
    """The model with its weights shaped and fine-tuned for so many epochs.

    Raises:
        InfeasibleError: no kernel of the model can be shaped like that.
        RecipeError: a pattern of `keep` matches no layer, or a schedule does not fit.
    """
    common: dict[str, Any] = {
        "training": job.inputs.training,
        "judge": job.inputs.validation,
        "recovery": plan_recovery(with_epochs(job, epochs)),
        "progress": progress,
    }
    teacher = job.inputs.teacher
    if isinstance(shaping, Clustering):
        clustered, accuracy = cluster(model, teacher, clustering=shaping, **common)
        note = f"weights clustered to {shaping.describe()}"
        return Shaped(model=clustered, accuracy=accuracy, note=note)
    sparse = sparsify(model, teacher, zeroing=shaping, **common)
    note = f"{sparse.sparsity:.1%} of the weights in kernels are zero ({shaping.pattern})"
    return Shaped(model=sparse.model, accuracy=sparse.accuracy or 0.0, zeros=sparse.zeros, note=note)


def find_zeroing(job: Job, model: keras.Model, *, pattern: Pattern = UNSTRUCTURED) -> Zeroing | None:
    """The least zeros, of `SPARSITIES`, that bring flash under its budget; None if none do."""
    keep = tuple(job.request.keep)
    candidates = [Zeroing(final_sparsity=s, pattern=pattern, keep=keep) for s in SPARSITIES]
    return find_first(candidates, lambda shaping: _fits_flash(job, model, shaping))


def find_clustering(job: Job, model: keras.Model) -> Clustering | None:
    """The most values, of `VALUES`, that bring flash under its budget; None if none do."""
    candidates = [Clustering(values=count, keep=tuple(job.request.keep)) for count in VALUES]
    return find_first(candidates, lambda shaping: _fits_flash(job, model, shaping))


def find_first(candidates: Sequence[Candidate], holds: Callable[[Candidate], bool]) -> Candidate | None:
    """The first candidate from which on it holds, by bisection; None if it does not hold for the last."""
    if not holds(candidates[-1]):
        return None
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(candidates[middle]) else (middle + 1, high)
    return candidates[high]


def _fits_flash(job: Job, model: keras.Model, shaping: Shaping) -> bool:
    """Whether the model would fit, on a file of it: how small it becomes hardly depends on training."""
    from edgeprune.keras_bridge.conversion.convert import convert

    limit = job.budgets.flash_bytes.value
    if limit is None:
        return False
    try:
        shaped = (
            cluster_at_once(model, shaping)
            if isinstance(shaping, Clustering)
            else sparsify_at_once(model, shaping).model
        )
    except InfeasibleError:
        return False
    few = tuple(x[:8] for x in job.inputs.representative)
    tflite = strip(convert(shaped, scheme=job.request.scheme, representative=few))
    flash = encode_for_device(tflite, job).figures["flash_bytes"].value
    return flash is not None and flash <= limit * (1 - FLASH_SLACK)
