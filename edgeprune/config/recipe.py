"""Recipes: the flags of `edgeprune build` in a TOML file, under the same names with underscores.

A flag beats the recipe, the recipe beats the device's profile. Paths in a recipe are relative to the
directory in which edgeprune runs, as those on the command line are. What only a recipe can say are limits of
single layers:

    [layers."conv2d_*"]
    min_channels = 8
    max_ratio = 0.3
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from edgeprune.config.tables import parse_table, read_toml, ruled
from edgeprune.errors import RecipeError

_LARGEST = 1e9  # above any real budget; it keeps TOML's `inf` out
MAX_SEED = 2**32 - 1
"""The largest seed that numpy's and TensorFlow's generators take."""
MAX_ROUND_TO = 64
"""As in device profiles: no kernel works in larger steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerLimit:
    """What must stay of the layers that a pattern means.

    Attributes:
        min_channels: channels that each of them keeps, or all it has.
        max_ratio: largest fraction of its channels that goes, over the whole build.
    """

    min_channels: int = ruled(low=1, default=1)
    max_ratio: float = ruled(low=0, high=1, default=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a recipe asks for; None where it says nothing.

    Attributes:
        model, data, output: paths, or `module:function` for data.
        device: a profile's id or file.
        runtime: "tflm" or "c".
        flash_kib, ram_kib, latency_ms: budgets.
        strict: whether an estimate must stay below its budget with the whole of its interval.
        max_drop: largest drop of the metric, a fraction.
        metric, loss, scheme, io_type, criterion, normalise, scope, schedule: names.
        representative_samples: training samples that activation ranges are measured on.
        accept_input_range: go on where the data seem to have another range than the model expects.
        keep: patterns of layer names whose channels stay.
        layers: pattern of layer names → what must stay of each of them; `layers` has no flag.
        min_channels: no group of channels gets narrower than this.
        round_to: numbers of channels become multiples of this.
        whole_layers: whether whole layers may go.
        final_sparsity, mask, mask_scope, sparsity_schedule, initial_sparsity, begin_step, end_step,
            frequency, power: zeros that are asked for; see `sparse_step.Zeroing`.
        clusters: different weights per output that are asked for.
        accept_no_gain: make zeros or clusters even where the device can make nothing of them.
        epochs: of recovery, all steps together.
        seed: of everything random.
        labels: file with the names of the classes.
        metadata: whether the file carries TFLite metadata.
        normalization: "MEAN,STD" that raw inputs are normalized by, for the metadata.
        keep_signatures: whether the file keeps a signature.
        custom: "module:object" of layers, functions and layer rules.
        trust: whether code inside the model file may run.
        input_shape: shapes of inputs that the model leaves open, "224,224,3" each.
        weights: the file of weights of a model that is a config in JSON.
    """

    model: str | None = None
    device: str | None = None
    runtime: Literal["tflm", "c"] | None = None
    data: str | None = None
    output: str | None = None
    flash_kib: float | None = ruled(above=0, high=_LARGEST, default=None)
    ram_kib: float | None = ruled(above=0, high=_LARGEST, default=None)
    latency_ms: float | None = ruled(above=0, high=_LARGEST, default=None)
    strict: bool | None = None
    max_drop: float | None = ruled(low=0, high=1, default=None)
    metric: str | None = None
    loss: str | None = None
    scheme: str | None = None
    io_type: str | None = None
    representative_samples: int | None = ruled(low=1, default=None)
    accept_input_range: bool | None = None
    criterion: str | None = None
    normalise: str | None = None
    scope: Literal["global", "local"] | None = None
    schedule: str | None = None
    keep: tuple[str, ...] | None = None
    layers: Mapping[str, LayerLimit] = field(default_factory=dict)
    min_channels: int | None = ruled(low=1, default=None)
    round_to: int | None = ruled(low=1, high=MAX_ROUND_TO, default=None)
    whole_layers: bool | None = None
    clusters: int | None = ruled(low=2, high=128, default=None)
    final_sparsity: float | None = ruled(low=0, high=1, default=None)
    mask: str | None = None
    mask_scope: Literal["global", "local"] | None = None
    sparsity_schedule: str | None = None
    initial_sparsity: float | None = ruled(low=0, high=1, default=None)
    begin_step: int | None = ruled(low=0, default=None)
    end_step: int | None = ruled(low=0, default=None)
    frequency: int | None = ruled(low=1, default=None)
    power: float | None = ruled(above=0, default=None)
    accept_no_gain: bool | None = None
    epochs: int | None = ruled(low=1, default=None)
    seed: int | None = ruled(low=0, high=MAX_SEED, default=None)
    labels: str | None = None
    metadata: bool | None = None
    normalization: str | None = None
    keep_signatures: bool | None = None
    custom: tuple[str, ...] | None = None
    trust: bool | None = None
    input_shape: tuple[str, ...] | None = None
    weights: str | None = None


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: the file cannot be read, or has errors; all are reported together, with their keys.
    """
    table, errors = read_toml(path)
    recipe = None
    if not errors:
        recipe, errors = parse_table(table, Recipe)
    if recipe is None:
        count = f"{len(errors)} errors: " if len(errors) > 1 else ""
        raise RecipeError(count + "; ".join(map(str, errors)), where=str(path))
    return recipe


def merge(flags: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """What was asked for: flags first, then the recipe; keys on which both are silent are left out.

    None is silence, and so is nothing at all of what can be given several times.
    """
    said = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    return {
        name: value
        for source in (said, flags)
        for name, value in source.items()
        if value is not None and value != () and value != {}
    }
