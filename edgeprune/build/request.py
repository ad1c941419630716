"""What `edgeprune build` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeprune.build.file_metadata import Annotating, parse_annotating
from edgeprune.config.budgets import BUDGETS, Origin
from edgeprune.config.build_options import BuildOptions
from edgeprune.config.drop import Drop, parse_drop
from edgeprune.config.load_options import LoadOptions, parse_load_options
from edgeprune.config.recipe import check_options, read_recipe
from edgeprune.config.training_options import TrainingOptions, pick_training
from edgeprune.errors import RecipeError
from edgeprune.methods.clustering import Clustering
from edgeprune.methods.method import Setting
from edgeprune.methods.sparsity import ASKED, parse_zeroing


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest(BuildOptions):
    """The options of a build, who said them, and what some of them mean together.

    Attributes:
        origins: who asked, by option; "flag" for those that are not in it.
        setting: what is to be done to weights last, of a method that has no options here; None where these
            options, or the device, decide.
    """

    origins: Mapping[str, Origin] = field(default_factory=dict)
    setting: Setting | None = None

    @property
    def budgets(self) -> dict[str, float | None]:
        """The budgets that were asked for, by the keys of `BUDGETS`."""
        return {kind.key: getattr(self, kind.key) for kind in BUDGETS.values()}

    @property
    def load(self) -> LoadOptions:
        """How the model is opened. Raises RecipeError."""
        return parse_load_options(
            custom=self.custom, trust=self.trust, input_shape=self.input_shape, weights=self.weights
        )

    @property
    def drop(self) -> Drop | None:
        """How much of the metric may be lost; None for the usual. Raises RecipeError."""
        return parse_drop(self.max_drop)

    @property
    def training(self) -> TrainingOptions:
        """How the model is trained and judged. Raises RecipeError."""
        return pick_training(self)

    @property
    def annotating(self) -> Annotating:
        """What the file says about itself. Raises RecipeError."""
        return parse_annotating(
            metadata=self.metadata, normalization=self.normalization, keep_signatures=self.keep_signatures
        )

    @property
    def shaping(self) -> Setting | None:
        """What is asked to be done to weights last; None where the device decides.

        Raises:
            RecipeError: both are, or what is asked for cannot be.
        """
        zeros = {name: getattr(self, name) for name in ASKED}
        asks_zeros = any(value is not None for value in zeros.values())
        if self.setting is not None:
            return self.setting
        if self.clusters is None:
            return parse_zeroing(zeros, keep=self.keep) if asks_zeros else None
        if asks_zeros:
            raise RecipeError("clusters and sparsity cannot be combined", fix="choose one")
        return Clustering(values=self.clusters, keep=self.keep)


def make_request(
    asked: Mapping[str, Any], *, recipe: Path | None = None, where: str = "arguments"
) -> BuildRequest:
    """What flags or arguments ask for, and the recipe where they are silent.

    Args:
        asked: values by the names of `BuildOptions`; None and () are silence.
        recipe: a file.
        where: what to call the first, for messages.

    Raises:
        RecipeError: a value is of a wrong type or out of range, the recipe has errors, no device is given, or
            what is asked for cannot be.
    """
    given = check_options(asked, where=where)
    written = read_recipe(recipe) if recipe is not None else {}
    said = written | given
    if "device" not in said:
        raise RecipeError("no device is given", fix="name one; 'edgeprune devices list' shows what there is")
    origins: dict[str, Origin] = dict.fromkeys(written.keys() - given.keys(), "recipe")
    request = BuildRequest(**said, origins=origins)
    request.load, request.drop, request.training, request.annotating, request.shaping  # noqa: B018  (each refuses what cannot be)
    return request
