"""Clustering a model: few values for the weights of each output, while it is fine-tuned or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Worth
from edgeprune.methods.method import METHODS, Applied, Asked, Phase

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer

MOST_VALUES = 128
"""Entries that a table of TFLM's DECODE op may have."""
VALUES = (64, 32, 16, 8, 4)
"""Values per output that may be chosen where none were asked for: indices of 6 to 2 bits."""


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
        """Of the method."""
        return "clusters"

    @property
    def flag(self) -> str:
        """The option that asks for them."""
        return "--clusters"

    def describe(self) -> str:
        """In a table."""
        return f"{self.values} values per output"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClustersMethod:
    """Few values for the weights of each output."""

    name: str = "clusters"
    title: str = "cluster weights"
    phase: Phase = "weights"
    setting: type[Clustering] = Clustering

    def worth(self, profile: Profile, *, setting: Clustering | None = None, scheme: str = "int8") -> Worth:
        """What the device's runtime makes of few values for many weights."""
        return backend_of(profile).value_clusters()

    def check(self, setting: Clustering) -> None:
        """Refuses numbers that no table holds."""
        if not 2 <= setting.values <= MOST_VALUES:
            raise RecipeError(
                f"clusters is {setting.values}", fix=f"give 2 to {MOST_VALUES} values per output"
            )

    def settings(self, asked: Asked) -> Sequence[Clustering]:
        """Fewer and fewer of `VALUES`."""
        return [Clustering(values=count, keep=asked.limits.keep) for count in VALUES]

    def preview(self, model: keras.Model, setting: Clustering) -> keras.Model:
        """Every weight to the nearest of its output's values."""
        from edgeprune.keras_bridge.model.weights import copy_model
        from edgeprune.keras_bridge.training.clustering import ClusterCallback

        clustered = copy_model(model)
        ClusterCallback(setting.values, keep=setting.keep).set_model(clustered)
        return clustered

    def apply(self, model: keras.Model, setting: Clustering, *, trainer: Trainer) -> Applied:
        """The same after each optimizer step, while the model is fine-tuned."""
        from edgeprune.keras_bridge.training.clustering import ClusterCallback

        trainer.progress.stage("cluster weights and recover", total=trainer.plan_recovery().total_steps)
        clustered, accuracy = trainer.recover_with(ClusterCallback(setting.values, keep=setting.keep), model)
        return Applied(
            model=clustered,
            accuracy=accuracy,
            note=f"weights clustered to {setting.describe()}",
            is_shaped=True,
            may_scale=False,
        )


METHODS.add("clusters", ClustersMethod())
