"""Clustering a model: few values for the weights of each output, while it is fine-tuned or all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.errors import RecipeError
from edgeprune.progress import Progress

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.evaluation import Judge
    from edgeprune.keras_bridge.training.train import Recovery, Training

MOST_VALUES = 128
"""Entries that a table of TFLM's DECODE op may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clustering:
    """Clusters as they are asked for.

    Attributes:
        values: different weights per output at most, from 2 to `MOST_VALUES`.
        keep: patterns of names of layers that are left as they are.
    """

    values: int
    keep: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a report calls the step."""
        return "clusters"

    def describe(self) -> str:
        """In a table."""
        return f"{self.values} values per output"


def parse_clustering(values: int, *, keep: tuple[str, ...] = ()) -> Clustering:
    """The clusters that a flag or a recipe asks for.

    Raises:
        RecipeError: there cannot be so many values.
    """
    if not 2 <= values <= MOST_VALUES:
        raise RecipeError(f"clusters is {values}", fix=f"give 2 to {MOST_VALUES} values per output")
    return Clustering(values=values, keep=keep)


def cluster_at_once(model: keras.Model, clustering: Clustering) -> keras.Model:
    """A copy of the model whose weights are the nearest of a few values; nothing is trained.

    Raises:
        InfeasibleError: no kernel has enough weights for that.
        RecipeError: a pattern of `keep` matches no layer.
    """
    from edgeprune.keras_bridge.training.clustering import ClusterCallback
    from edgeprune.keras_bridge.training.evaluation import copy_model

    clustered = copy_model(model)
    ClusterCallback(clustering.values, keep=clustering.keep).set_model(clustered)
    return clustered


def cluster(
    model: keras.Model,
    teacher: keras.Model,
    *,
    clustering: Clustering,
    training: Training,
    judge: Judge,
    recovery: Recovery,
    progress: Progress,
) -> tuple[keras.Model, float]:
    """A clustered copy of the model, fine-tuned with a teacher, and its metric on validation data.

    Args:
        model: what is clustered; not changed.
        teacher: what it follows; only run.
        clustering: the clusters that are asked for.
        training: inputs, labels and loss.
        judge: scores models on validation data.
        recovery: how to train, and for how many steps.
        progress: is told about every optimizer step.

    Raises:
        InfeasibleError: no kernel has enough weights for that.
        RecipeError: a pattern of `keep` matches no layer.
    """
    from edgeprune.keras_bridge.training.clustering import ClusterCallback
    from edgeprune.keras_bridge.training.recover import recover_with

    progress.stage("cluster weights and recover", total=recovery.total_steps)
    return recover_with(
        ClusterCallback(clustering.values, keep=clustering.keep),
        model,
        teacher=teacher,
        training=training,
        judge=judge,
        recovery=recovery,
        progress=progress,
    )
