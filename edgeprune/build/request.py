"""What `edgeprune build` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edgeprune.build.file_metadata import Annotating, parse_annotating
from edgeprune.config.budgets import BUDGETS, Origin
from edgeprune.config.build_options import BuildOptions, LayerLimit
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
        if self.only_fine_tune and (asks_zeros or self.clusters is not None):
            raise RecipeError(
                "only_fine_tune leaves weights as they are", fix="ask for no zeros and clusters"
            )
        if self.minimize is not None and self.budgets[BUDGETS[self.minimize].key] is not None:
            raise RecipeError(
                f"{self.minimize} is to be minimized, and has a budget", fix="leave one of them out"
            )
        others = self.only_fine_tune or asks_zeros or self.clusters is not None or self.setting is not None
        if self.minimize is not None and (others or self.low_rank not in (None, 1)):
            raise RecipeError("minimize goes by channels and whole layers alone", fix="ask for nothing else")
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
    if said.get("delegate") is not None:
        said = {"scheme": "float16"} | said
    if not said.keys() & {"model", "minimize", *(kind.key for kind in BUDGETS.values())}:
        said = {"strict": True} | said  # the first build that people see ends in a verdict
    if "device" not in said:
        raise RecipeError("no device is given", fix="name one; 'edgeprune devices list' shows what there is")
    origins: dict[str, Origin] = dict.fromkeys(written.keys() - given.keys(), "recipe")
    request = BuildRequest(**said, origins=origins)
    request.load, request.drop, request.training, request.annotating, request.shaping  # noqa: B018  (each refuses what cannot be)
    return request


OF_ONE_RUN = ("output", "resume", "force")
"""Options that do not decide on a build's result."""


def record_request(request: BuildRequest) -> dict[str, Any]:
    """What `manifest.json` says of a request: the keys `request`, `origins` and `not_recorded`.

    Defaults are left out, and so are origins of what is no budget. Paths stand as they were given.
    `not_recorded` names what is in no file: a model or data in memory, and settings that have no option.
    """
    said: dict[str, Any] = {}
    lost = [] if request.setting is None else ["setting"]
    for item in fields(BuildOptions):
        value = getattr(request, item.name)
        usual = item.default if item.default_factory is MISSING else item.default_factory()
        if not _is_plain(value):
            lost.append(item.name)
        elif item.name not in OF_ONE_RUN and value is not None and value != usual:
            said[item.name] = _write(value)
    origins = {name: origin for name, origin in request.origins.items() if name in request.budgets}
    return {"request": said, "origins": origins, "not_recorded": lost}


def repeat_request(recorded: Mapping[str, Any], *, where: str) -> BuildRequest:
    """The request that a manifest records.

    Args:
        recorded: the manifest.
        where: its path, for messages.

    Raises:
        RecipeError: it records none, or not all of it; or what it records cannot be.
    """
    said, origins, lost = (recorded.get(key) for key in ("request", "origins", "not_recorded"))
    if not isinstance(said, dict) or not isinstance(origins, dict) or not isinstance(lost, list):
        raise RecipeError("the manifest says of no request", where=where, why="an older edgeprune wrote it")
    if lost:
        raise RecipeError(
            "the request cannot be repeated",
            where=where,
            why=f"its {' and '.join(map(str, lost))} was given in memory, and is in no file",
            fix="build from files to be able to build again",
        )
    given = {name: value for name, value in said.items() if name not in OF_ONE_RUN}
    request = make_request(given, where=where)
    known = {name: origin for name, origin in origins.items() if origin == "recipe"}
    return replace(request, origins=known)


def _is_plain(value: Any) -> bool:
    """Whether a value of an option can stand in a file."""
    if isinstance(value, Mapping):
        return all(isinstance(limit, LayerLimit) for limit in value.values())
    if isinstance(value, tuple):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, bool | int | float | str | Path)


def _write(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {pattern: asdict(limit) for pattern, limit in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
