"""Everything a build starts from, opened and checked: model, data, task, teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgeprune.config.build_options import DataSource, ModelSource
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.config.training_options import USUAL_BATCH, TrainingOptions
from edgeprune.errors import DataError, InputError
from edgeprune.files import hash_bytes
from edgeprune.graph.layergraph import Array
from edgeprune.progress import Checkpoints, Forgetful, Progress
from edgeprune.version import __version__

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.augment import Augmentation
    from edgeprune.keras_bridge.data.batches import Source
    from edgeprune.keras_bridge.data.dataset import Data
    from edgeprune.keras_bridge.data.representative import Representative
    from edgeprune.keras_bridge.training.distribution import Strategy
    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.optimizers import Optimizing
    from edgeprune.keras_bridge.training.own_loop import OwnLoop
    from edgeprune.keras_bridge.training.task import Task
    from edgeprune.keras_bridge.training.train import Training
    from edgeprune.keras_bridge.training.trainer import Samples, Trainer


_LEARNT_DROP = 0.02
"""By how much less the original scores on what it has not learnt, as in `Task.drop`, before that is said."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inputs:
    """A model and what to prune it with.

    Attributes:
        model: the original; never changed.
        teacher: the original, with BatchNorm statistics of the training data where they score better.
        source, sha256: where the model came from, and the hash of its file ("" for the example).
        data: training, validation and test samples.
        task: loss and metric.
        training: what recovery trains on.
        validation, test: evaluators of models and of artefacts; decisions only look at the first.
        score: the teacher's, on the validation samples.
        reference: the same on samples that it has not learnt; see `find_reference`.
        augmentation: what is done to training batches.
        optimizing: the optimizer of recovery.
        batch_size: samples per step.
        policy: the dtype policy that recovery computes under.
        loop: the owner's own training loop, or None.
        strategy: spreads each step of recovery over several devices; None for one.
        calibration: the representative set, and how it was drawn.
        notes: sentences for the report.
    """

    model: keras.Model
    teacher: keras.Model
    source: str
    sha256: str
    data: Data
    task: Task
    training: Training
    validation: Evaluator
    test: Evaluator
    score: float
    reference: float
    augmentation: Augmentation
    optimizing: Optimizing
    batch_size: int
    policy: str
    loop: OwnLoop | None
    strategy: Strategy | None
    calibration: Representative
    notes: tuple[str, ...]

    @property
    def batch_said(self) -> int | str:
        """Samples per step, for people: a stream keeps its own batches unless a size is asked for."""
        from edgeprune.keras_bridge.data.batches import Stream

        train = self.data.train
        return "the stream's own" if isinstance(train, Stream) and train.resize is None else self.batch_size

    @property
    def numbered_outputs(self) -> str:
        """Which output of the file is which of the model's, where there are several; else ""."""
        names = [output.name for output in self.task.outputs]
        return ", ".join(f"{i} is {name}" for i, name in enumerate(names)) if len(names) > 1 else ""

    @property
    def representative(self) -> tuple[Array, ...]:
        """Calibration inputs, one array per model input."""
        return self.calibration.inputs

    def make_trainer(
        self, *, epochs: int, seed: int, progress: Progress, work: Checkpoints | None = None
    ) -> Trainer:
        """What fine-tunes these models and scores them.

        Args:
            epochs: of all that is done with it.
            seed: of batches, augmentation and random choices.
            progress: is told about every step.
            work: keeps what is finished; None where nothing need be.
        """
        from edgeprune.keras_bridge.training.trainer import Trainer

        return Trainer(
            teacher=self.teacher,
            training=self.training,
            evaluator=self.validation,
            reference=self.reference,
            augmentation=self.augmentation,
            optimizing=self.optimizing,
            batch_size=self.batch_size,
            policy=self.policy,
            loop=self.loop,
            strategy=self.strategy,
            epochs=epochs,
            seed=seed,
            progress=progress,
            work=work or Forgetful(),
        )

    def key(self, settings: Mapping[str, Any]) -> str:
        """A hash of everything the result depends on."""
        return hash_bytes(
            __version__.encode(),
            self.sha256.encode(),
            json.dumps(settings, sort_keys=True, default=str).encode(),
            *self.data.fingerprint(),
        )


def open_samples(
    model: keras.Model, data: DataSource, *, options: TrainingOptions, seed: int, progress: Progress
) -> Samples:
    """The data, checked against the model.

    Args:
        model: Functional or Sequential.
        data: what `load_data` takes.
        options: how it is trained and judged.
        seed: of splits.
        progress: is told while data are read.

    Raises:
        DataError: the data cannot be used.
        RecipeError: loss or metric do not fit.
    """
    from edgeprune.keras_bridge.data.batches import hold
    from edgeprune.keras_bridge.training.evaluation import make_evaluator
    from edgeprune.keras_bridge.training.trainer import Samples

    loaded = _load(model, data, options, seed=seed, progress=progress)
    task = _resolve(model, loaded, options)
    return Samples(
        training=_make_training(loaded, task),
        validation=make_evaluator(task, model, source=hold(loaded.validation)),
    )


def _load(
    model: keras.Model, data: DataSource, options: TrainingOptions, *, seed: int, progress: Progress
) -> Data:
    from edgeprune.keras_bridge.data.dataset import load_data
    from edgeprune.keras_bridge.training.compiled import interface_of

    return load_data(
        data,
        interface=interface_of(model),
        seed=seed,
        steps_per_epoch=options.steps_per_epoch,
        batch_size=options.batch_size,
        progress=progress,
    )


def _resolve(model: keras.Model, data: Data, options: TrainingOptions) -> Task:
    from edgeprune.keras_bridge.training.task import resolve_task

    return resolve_task(
        model, data, loss=options.loss, metric=options.metric, metric_mode=options.metric_mode
    )


def _make_training(data: Data, task: Task) -> Training:
    from edgeprune.keras_bridge.training.train import Training

    reconstructs = task.label_kind == "reconstruction"
    return Training(source=data.train, task=task, is_labelled=data.is_labelled or reconstructs)


def open_inputs(
    model: ModelSource | None,
    data: DataSource | None,
    *,
    options: TrainingOptions,
    seed: int,
    load: LoadOptions = AS_SAVED,
    representative_samples: int | None = None,
    check_range: bool = True,
    needs_training: bool = True,
    progress: Progress,
) -> Inputs:
    """The model and its data, checked against one another.

    Args:
        model: a saved Keras model or one in memory, or None for the embedded example.
        data: what `load_data` takes; may be None for the example only.
        options: how the model is trained and judged.
        seed: of splits and selections.
        load: how the model is opened.
        representative_samples: size of the representative set; None for the usual one.
        check_range: whether data that seem to have another range than the model expects are refused.
        needs_training: whether a model of which nothing can be trained is refused.
        progress: is told what is going on.

    Raises:
        ModelError: the model cannot be used.
        DataError: the data cannot be used, or there are none.
    """
    from edgeprune.keras_bridge.data.example import make_example
    from edgeprune.keras_bridge.loading.given import hash_source, name_source, open_model
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.determinism import fix_seeds
    from edgeprune.keras_bridge.training.distribution import open_strategy, require_divisible
    from edgeprune.keras_bridge.training.train import refuse_frozen

    if options.distribute == "multiworker":
        progress.stage("wait for the other workers")
    strategy = open_strategy(options.distribute)
    if model is None:
        progress.stage("train the embedded example")
        original, loaded = make_example(seed=seed)
        loaded = replace(loaded, source="handwritten digits, packed with edgeprune")
        source, sha256 = "the embedded example", ""
    else:
        if data is None:
            raise DataError(
                "there are no data to build with",
                why="recovery, calibration of int8 ranges and the accuracy check all need real inputs",
                fix="pass --data (inputs alone are enough, labels are optional); "
                "'edgeprune prune' removes channels without data",
            )
        source, sha256 = name_source(model), hash_source(model, load)
        original = open_model(
            model, options=replace(load, needs_loss=options.loss is None), progress=progress
        )
        fix_seeds(seed)  # a file draws random numbers while it is opened, and a model in memory does not
        loaded = _load(original, data, options, seed=seed, progress=progress)
    trace(original)  # refuses models without a graph before any work is spent on them
    if needs_training:
        refuse_frozen(original)
    task = _resolve(original, loaded, options)
    if not loaded.has_test:
        raise DataError(
            "there is no test set",
            where=loaded.source,
            why="the artefact's accuracy is checked on samples that no decision looked at",
            fix="add x_test (and y_test) to the data, or from Python give (train, test)",
        )
    require_divisible(options.batch_size or USUAL_BATCH, strategy)
    progress.stage("study the original model")
    # Before anything else is done with the data: statistics re-estimated on a wrong range would hide it.
    calibration = open_representative(
        original,
        loaded,
        samples=representative_samples,
        task=task,
        check_range=check_range,
        seed=seed,
        progress=progress,
    )
    return _prepare(
        original,
        loaded,
        task,
        options=options,
        strategy=strategy,
        calibration=calibration,
        source=source,
        sha256=sha256,
        seed=seed,
        progress=progress,
    )


def _prepare(
    original: keras.Model,
    data: Data,
    task: Task,
    *,
    options: TrainingOptions,
    strategy: Strategy | None,
    calibration: Representative,
    source: str,
    sha256: str,
    seed: int,
    progress: Progress,
) -> Inputs:
    from edgeprune.keras_bridge.data.augment import Augmentation, augments_itself, choose_augmentation
    from edgeprune.keras_bridge.data.batches import Rows, hold
    from edgeprune.keras_bridge.training.chance import say_chance
    from edgeprune.keras_bridge.training.compiled import read_compiled
    from edgeprune.keras_bridge.training.evaluation import find_reference, make_evaluator
    from edgeprune.keras_bridge.training.inference import predict
    from edgeprune.keras_bridge.training.optimizers import choose_optimizer
    from edgeprune.keras_bridge.training.own_loop import open_loop
    from edgeprune.keras_bridge.training.precision import choose_policy

    validation = make_evaluator(task, original, source=hold(data.validation))
    teacher, score, note = _make_teacher(original, validation, source=data.train, seed=seed)
    augmentation = Augmentation()
    # A pipeline of the user's own, and a model with layers for it, augment as they do.
    is_ours = isinstance(data.train, Rows) and not augments_itself(original)
    if is_ours and task.output_kind != "values" and task.higher_is_better:
        augmentation = choose_augmentation(
            data.validation.x, score=lambda x: validation.score_outputs(predict(teacher, x)), seed=seed
        )
    assert data.test is not None  # open_inputs looked
    test = make_evaluator(task, original, source=data.test)
    reference = score
    if data.is_held_out:
        reference = find_reference(teacher, validation, test, score=score, seed=seed)
    doubts = [
        text
        for text in (
            _say_frozen(original),
            say_chance(validation, score=score),
            _say_learnt(validation, score=score, reference=reference),
        )
        if text
    ]
    if note:
        progress.note(note)
    for doubt in doubts:
        progress.warn(doubt)
    notes = [*data.notes, *calibration.warnings, note, *doubts]
    return Inputs(
        model=original,
        teacher=teacher,
        source=source,
        sha256=sha256,
        data=data,
        task=task,
        training=_make_training(data, task),
        validation=validation,
        test=test,
        score=score,
        reference=reference,
        augmentation=augmentation,
        optimizing=choose_optimizer(
            read_compiled(original).optimizer, name=options.optimizer, learning_rate=options.learning_rate
        ),
        batch_size=options.batch_size or USUAL_BATCH,
        policy=choose_policy(options.mixed_precision),
        loop=None if options.train is None else open_loop(options.train, original),
        strategy=strategy,
        calibration=calibration,
        notes=tuple(filter(None, notes)),
    )


def _say_frozen(model: keras.Model) -> str:
    """What it costs that some layers are frozen, "" where none is."""
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if layer._trainable_variables or layer._non_trainable_variables
    ]
    frozen = [layer for layer in layers if not layer.trainable]
    if not frozen:
        return ""
    return (
        f"{len(frozen)} of {len(layers)} layers with weights are frozen (trainable=False) and stay so: "
        "their channels may go, but what remains of them is not fine-tuned, which costs accuracy; set "
        "trainable = True and save the model again to let recovery change them."
    )


def _say_learnt(validation: Evaluator, *, score: float, reference: float) -> str:
    """That the original has learnt the validation samples, "" where it does no better on them."""
    if validation.drop(before=score, after=reference) <= _LEARNT_DROP:
        return ""
    return (
        f"The original's {validation.task.metric} is {score:.4f} on the {validation.samples} validation "
        f"samples and {reference:.4f} on test samples: held out of the training data, they are what it was "
        f"trained on. Steps are compared with {reference:.4f}; give x_val and y_val that it has not seen."
    )


def open_representative(
    model: keras.Model,
    data: Data,
    *,
    samples: int | None = None,
    task: Task | None = None,
    check_range: bool = True,
    seed: int,
    progress: Progress,
) -> Representative:
    """The representative set, drawn from the training data and checked against the model.

    Args:
        model: what will be converted.
        data: checked against it.
        samples: how many; `REPRESENTATIVE_SAMPLES` if not given.
        task: what the model is for; found out where it is not given.
        check_range: whether data that seem to have another range than the model expects are refused.
        seed: of the draw.
        progress: is told what speaks against the set.

    Raises:
        DataError: the model seems to expect another range.
    """
    from edgeprune.keras_bridge.data.input_range import require_input_range
    from edgeprune.keras_bridge.data.representative import REPRESENTATIVE_SAMPLES, draw_representative
    from edgeprune.keras_bridge.training.task import resolve_task

    drawn = draw_representative(data, samples=samples or REPRESENTATIVE_SAMPLES, seed=seed)
    for warning in drawn.warnings:
        progress.warn(warning)
    if check_range:
        if task is None:
            with suppress(InputError):  # layers have something to say even where scores cannot be had
                task = resolve_task(model, data)
        require_input_range(model, drawn, task=task, where=data.source)
    return drawn


def _make_teacher(
    original: keras.Model, validation: Evaluator, *, source: Source, seed: int
) -> tuple[keras.Model, float, str]:
    """The original, or a copy with re-estimated BatchNorm statistics if that one scores better; its score."""
    from edgeprune.keras_bridge.training.evaluation import settle_batch_norm

    teacher, after = settle_batch_norm(original, validation, source=source, seed=seed)
    if teacher is original:
        return original, after, ""
    before, metric = validation.score_model(original), validation.task.metric
    return (
        teacher,
        after,
        (
            f"BatchNorm statistics re-estimated on the training data take the original's validation {metric} "
            f"from {before:.4f} to {after:.4f}: pruning starts from that model, recovery follows it, and the "
            "result is held against it."
        ),
    )
