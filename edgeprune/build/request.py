"""What `edgeprune build` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeprune.build.file_metadata import Annotating
from edgeprune.config.load_options import LoadOptions
from edgeprune.config.recipe import LayerLimit
from edgeprune.methods.clustering import Clustering
from edgeprune.methods.sparsity import Zeroing

Shaping = Zeroing | Clustering
"""What may be done to weights so that they are stored in fewer bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """What `edgeprune build` was asked for; None where the recipe, the profile or edgeprune decides.

    Attributes:
        model: a saved Keras model; None for the embedded example.
        device: a profile's id or file.
        runtime: "tflm" or "c"; None for the profile's.
        data: what `load_data` takes; None only with the embedded example.
        output: the directory to be made.
        flash_kib, ram_kib, latency_ms: budgets that replace the profile's.
        strict: whether an estimate must stay below its budget with the whole of its interval.
        max_drop: largest drop of the metric, as in `Task.drop`.
        metric, loss: names, where the model and its outputs do not settle them.
        scheme, criterion, scope, schedule: names in their registries; no criterion: `DEFAULT_CRITERION`.
        io_type: type of the file's inputs and outputs; None for the scheme's default.
        normalise: how scores are made comparable across families; None for the criterion's own way.
        keep: patterns of layer names whose channels stay.
        layers: pattern of layer names → what must stay of each of them.
        min_channels: least channels of a group, or all it has; by default `round_to`.
        round_to: numbers of channels become multiples of this; by default the profile's.
        whole_layers: whether whole layers may go.
        shaping: zeros or clusters that are asked for; None where the device decides.
        accept_no_gain: make them even where the device can make nothing of them.
        epochs: of recovery, all steps together.
        seed: of everything random.
        labels: file with the names of the classes; None for those of the data.
        annotating: what the file says about itself.
        load: how the model is opened.
        representative_samples: size of the representative set; None for the usual one.
        accept_input_range: go on where the data seem to have another range than the model expects.
        resume: go on after the last finished stage of the same build.
        force: replace an existing output.
    """

    model: Path | None
    device: str
    data: str | None
    output: Path
    runtime: str | None = None
    flash_kib: float | None = None
    ram_kib: float | None = None
    latency_ms: float | None = None
    strict: bool = False
    max_drop: float = 0.02
    metric: str | None = None
    loss: str | None = None
    scheme: str = "int8"
    io_type: str | None = None
    criterion: str | None = None
    scope: str = "global"
    normalise: str | None = None
    keep: tuple[str, ...] = ()
    layers: Mapping[str, LayerLimit] = field(default_factory=dict)
    min_channels: int | None = None
    round_to: int | None = None
    whole_layers: bool = True
    schedule: str = "polynomial_decay"
    shaping: Shaping | None = None
    accept_no_gain: bool = False
    epochs: int | None = None
    seed: int = 0
    labels: Path | None = None
    annotating: Annotating = field(default_factory=Annotating)
    load: LoadOptions = field(default_factory=LoadOptions)
    representative_samples: int | None = None
    accept_input_range: bool = False
    resume: bool = False
    force: bool = False
