"""`edgeprune sparsify`: a sparse Keras model on its own, and what that is worth on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.build.inputs import Inputs, open_inputs
from edgeprune.config.build_options import Acceptable, DataSource, ModelSource
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.config.training_options import AS_COMPILED, TrainingOptions
from edgeprune.device.check import resolve_budgets
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import RecipeError
from edgeprune.files import refuse_ending, refuse_existing
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.method import require_worth
from edgeprune.methods.sparsity import Sparsified, Zeroing, sparsify, sparsify_at_once
from edgeprune.progress import Progress
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip
from edgeprune.tflite.zeros import require_zeros

if TYPE_CHECKING:
    import keras

DEFAULT_EPOCHS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class SparsifyRequest:
    """What `edgeprune sparsify` was asked for.

    Attributes:
        model: a saved Keras model, or one in memory.
        output: the `.keras` file to write; None for none.
        zeroing: the zeros.
        device: a profile's id or file, to say what the zeros are worth; None for no device.
        data: what `load_data` takes; None for zeros at once, without training.
        epochs: of fine-tuning while the zeros come in.
        accept: doubts that are known: "no-gain" where zeros buy nothing on the device, "input-range" where
            the data seem to have another than the model expects.
        training: how the model is trained and judged.
        seed: of everything random.
        load: how the model is opened.
        force: replace an existing output.
    """

    model: ModelSource
    output: Path | None = None
    zeroing: Zeroing
    device: str | None = None
    data: DataSource | None = None
    epochs: int = DEFAULT_EPOCHS
    accept: tuple[Acceptable, ...] = ()
    training: TrainingOptions = AS_COMPILED
    seed: int = 0
    load: LoadOptions = AS_SAVED
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class SparsifyResult(Summarized):
    """What `edgeprune sparsify` did.

    Attributes:
        output: the file written; None for none.
        sparse: the model and its zeros.
        metric: name of the metric, "" without data.
        accuracy: the metric on the test set, of the original and of the sparse model; None without data.
        worth: what zeros buy on the device, as a sentence; "" without a device.
        dense_figures, figures: of the int8 file on the device, of the original and of the sparse model; empty
            without a device or data.
        sentences: what was stored encoded, and what that costs.
    """

    output: Path | None
    sparse: Sparsified
    metric: str = ""
    accuracy: tuple[float, float] | None = None
    worth: str = ""
    dense_figures: Mapping[str, Figure] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()

    @property
    def model(self) -> keras.Model:
        """The sparse model."""
        return self.sparse.model

    def to_json(self) -> dict[str, Any]:
        """The document of `sparsify --json`."""
        before, after = self.dense_figures, self.figures
        return {
            "schema": 1,
            "output": None if self.output is None else str(self.output),
            "sparsity": self.sparse.sparsity,
            "kernels": self.sparse.to_json(),
            "metric": self.metric,
            "accuracy": None if self.accuracy is None else dict(zip(_SIDES, self.accuracy, strict=True)),
            "worth": self.worth,
            "dense": {name: figure.value for name, figure in before.items()},
            "sparse": {name: figure.value for name, figure in after.items()},
            "provenance": {name: figure.to_json() for name, figure in after.items()},
            "sentences": list(self.sentences),
        }

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the `.keras` file and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        from edgeprune.keras_bridge.loading.save import write_model

        write_model(self.model, Path(output), force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(
            f"{self.sparse.sparsity:.1%} of the weights in kernels are zero.",
            figures={name: figure.value for name, figure in self.figures.items()},
            provenance={name: figure.to_json() for name, figure in self.figures.items()},
        )


_SIDES = ("dense", "sparse")


def sparsify_file(request: SparsifyRequest, *, progress: Progress) -> SparsifyResult:
    """Writes a sparse model; what zeros are worth on the device is said before anything is trained.

    Raises:
        InputError: something cannot be used; zeros that buy nothing on the device are a RecipeError.
        InfeasibleError: the model has no kernels, or zeros were lost in conversion.
    """
    refuse_existing(request.output, force=request.force)
    refuse_ending(request.output, ".keras")
    profile = None if request.device is None else load_profile(request.device)
    worth = ""
    if profile is not None:
        accept = "no-gain" in request.accept
        worth = require_worth(request.zeroing, profile, scheme="int8", accept_no_gain=accept).reason
        progress.note(worth)
    from edgeprune.keras_bridge.loading.given import open_model
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(request.seed)
    inputs = None
    if request.data is None:
        progress.stage("load and make sparse")
        original = open_model(
            request.model, options=replace(request.load, assume_image=True), progress=progress
        )
        sparse = sparsify_at_once(original, request.zeroing)
    else:
        inputs = _open(request, progress)
        sparse = _train(inputs, request, progress)
    result = SparsifyResult(output=request.output, sparse=sparse, worth=worth)
    if inputs is not None:
        scores = (inputs.test.score_model(inputs.model), inputs.test.score_model(sparse.model))
        result = replace(result, metric=inputs.task.metric, accuracy=scores)
        if profile is not None:
            progress.stage("convert and measure")
            result = _weigh(result, inputs, profile=profile)
    if request.output is not None:
        result.save(request.output, force=request.force)
    return result


def _open(request: SparsifyRequest, progress: Progress) -> Inputs:
    return open_inputs(
        request.model,
        request.data,
        options=request.training,
        seed=request.seed,
        load=request.load,
        check_range="input-range" not in request.accept,
        progress=progress,
    )


def _train(inputs: Inputs, request: SparsifyRequest, progress: Progress) -> Sparsified:
    if request.epochs < 1:
        raise RecipeError(f"epochs is {request.epochs}", fix="give at least 1")
    trainer = inputs.make_trainer(epochs=request.epochs, seed=request.seed, progress=progress)
    return sparsify(inputs.teacher, request.zeroing, trainer=trainer)


def _weigh(result: SparsifyResult, inputs: Inputs, *, profile: Profile) -> SparsifyResult:
    """The result, with what the int8 files of both models cost on a device."""
    backend = backend_of(profile)
    dense, sparse = (
        strip(backend.rewrite(_convert(model, inputs))) for model in (inputs.model, result.sparse.model)
    )
    require_zeros(read_model(sparse, where="the sparse model"), result.sparse.zeros)
    budgets = resolve_budgets(profile)
    encoded = backend.encode(sparse, budgets=budgets, scheme="int8")
    before = backend.measure(dense, where="the dense model").figures
    return replace(result, dense_figures=before, figures=encoded.figures, sentences=tuple(encoded.describe()))


def _convert(model: keras.Model, inputs: Inputs) -> bytes:
    from edgeprune.keras_bridge.conversion.convert import convert

    return convert(model, scheme="int8", representative=inputs.representative)
