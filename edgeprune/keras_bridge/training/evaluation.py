"""What a model's outputs are scored against, on one set of samples."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import keras
import numpy as np

from edgeprune.keras_bridge.data.batches import Arrays, Batch, Changed, Source, hold, join
from edgeprune.keras_bridge.model.weights import assign_weights, copy_model
from edgeprune.keras_bridge.training.inference import (
    has_masks,
    predict,
    predict_masked,
    reestimate_batch_norm,
)
from edgeprune.keras_bridge.training.scores import Masks, Predictions, Score, Tally
from edgeprune.keras_bridge.training.task import Task

Watch = Callable[[Arrays, Predictions, Masks], None]
"""Is shown labels and outputs of some samples, and which places of these count."""

_LEAST_HALVED = 4
_CHUNK_BYTES = 192 * 2**20
"""Inputs, as floats, that are run and scored at a time."""
_HELD_BYTES = 256 * 2**20
_REFERENCE_SAMPLES = 2000
_JUDGED_BATCHES = 8
"""What BatchNorm statistics are estimated on where a model is only judged: a thousand samples."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evaluator:
    """Samples, and what the outputs should be.

    Attributes:
        task: gives the metrics.
        source: of the samples; their labels are what outputs are compared with: for a reconstruction the
            input, without labels the original's outputs.
        masker: the original, where some places of its outputs do not count; else None.
    """

    task: Task
    source: Source
    masker: keras.Model | None = None

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.source.samples

    @property
    def inputs(self) -> Arrays:
        """All inputs, one array per model input: only of an evaluator whose samples are in memory."""
        return self._whole().x

    def score_model(self, model: keras.Model) -> float:
        """The metric of a Keras model that decides."""
        first = self.task.scores[:1]
        return self.score_all(lambda x: predict(model, x), scores=first)[self.task.metric]

    def score_outputs(self, outputs: Predictions) -> float:
        """Likewise of outputs for all samples, one float array per model output, (samples, ...)."""
        batch = self._whole()
        assert batch.y is not None  # make_evaluator saw to it
        first = self.task.scores[0]
        return first.of(outputs, batch.y, weights=batch.weights, masks=self._masks(batch))

    def score_all(
        self,
        run: Callable[[Arrays], Predictions],
        *,
        scores: Sequence[Score] | None = None,
        watch: Watch | None = None,
    ) -> dict[str, float]:
        """Every metric by its name, over as many samples at a time as memory has room for.

        Args:
            run: gives outputs for inputs, one float array per model output.
            scores: which metrics; all if not given.
            watch: is shown labels, outputs and masks, too.
        """
        chosen = self.task.scores if scores is None else scores
        tallies: dict[str, Tally] = {score.name: score.start() for score in chosen}
        for batch in self.chunks():
            outputs, masks = run(batch.x), self._masks(batch)
            for tally in tallies.values():
                tally.add(batch.y or (), outputs, weights=batch.weights, masks=masks)
            if watch is not None:
                watch(batch.y or (), outputs, masks)
        return {name: tally.result() for name, tally in tallies.items()}

    def chunks(self) -> Iterator[Batch]:
        """All samples, as many at a time as memory has room for."""
        each = 4 * sum(int(np.prod(x.shape[1:])) for x in self.source.take(np.arange(1)).x)
        yield from self.source.read(max(1, _CHUNK_BYTES // max(1, each)))

    def drop(self, *, before: float, after: float) -> float:
        """How much worse `after` is than `before`; see `Task.drop`."""
        return self.task.drop(before=before, after=after)

    def _masks(self, batch: Batch) -> Masks:
        return None if self.masker is None else predict_masked(self.masker, batch.x)[1]

    def _whole(self) -> Batch:
        return self.source.take(np.arange(self.source.drawable))


def sample_evaluator(evaluator: Evaluator, *, samples: int, seed: int) -> Evaluator:
    """The same evaluator on at most so many of its samples, drawn by the seed."""
    count = evaluator.source.drawable
    if count <= samples:
        return evaluator
    rows = np.sort(np.random.default_rng([seed, 3]).choice(count, size=samples, replace=False))
    return replace(evaluator, source=hold(evaluator.source.take(rows)))


def halve_evaluator(evaluator: Evaluator) -> tuple[Evaluator, ...]:
    """The same evaluator on every other of its samples, and on those between; itself where there are few."""
    count = evaluator.source.drawable
    if count < _LEAST_HALVED:
        return (evaluator,)
    rows = (np.arange(start, count, 2) for start in (0, 1))
    return tuple(replace(evaluator, source=hold(evaluator.source.take(half))) for half in rows)


def settle_batch_norm(
    model: keras.Model, evaluator: Evaluator, *, source: Source, seed: int
) -> tuple[keras.Model, float]:
    """The model and its score, or a copy with re-estimated BatchNorm statistics if that one scores better.

    Args:
        model: not changed.
        evaluator: scores both.
        source: of training samples.
        seed: of the batches.
    """
    before = evaluator.score_model(model)
    copy = copy_model(model)
    if not reestimate_batch_norm(copy, source, seed=seed):
        return model, before
    after = evaluator.score_model(copy)
    return (copy, after) if evaluator.drop(before=before, after=after) < 0 else (model, before)


def score_settled(model: keras.Model, evaluator: Evaluator, *, source: Source, seed: int) -> float:
    """The metric of a model with BatchNorm statistics estimated for it; it keeps those that it has.

    Its own are of wider weights and of steps ago: a model that is right may score at chance with them.

    Args:
        model: as it was afterwards.
        evaluator: scores it.
        source: of training samples.
        seed: of the batches.
    """
    with settled(model, source, seed=seed):
        return evaluator.score_model(model)


@contextmanager
def settled(model: keras.Model, source: Source, *, seed: int) -> Iterator[None]:
    """The model with BatchNorm statistics estimated for it, as long as the block lasts."""
    own = model.get_weights()
    try:
        reestimate_batch_norm(model, source, batches=_JUDGED_BATCHES, seed=seed)
        yield
    finally:
        assign_weights(model, own)


def find_reference(
    original: keras.Model, validation: Evaluator, test: Evaluator, *, score: float, seed: int
) -> float:
    """What the original would score on validation samples, had it not been trained on them.

    Its score on test samples where that is worse. They say nothing of any student here.

    Args:
        original: what was trained.
        validation: on samples of its training data.
        test: on others; at most `_REFERENCE_SAMPLES` are looked at.
        score: of the original on the former.
        seed: of the choice.
    """
    unseen = sample_evaluator(test, samples=_REFERENCE_SAMPLES, seed=seed).score_model(original)
    return unseen if validation.drop(before=score, after=unseen) > 0 else score


def make_evaluator(task: Task, original: keras.Model, *, source: Source) -> Evaluator:
    """An evaluator for these samples; asks the original for its outputs where nothing else is to go by."""
    if task.is_labelled and task.complete(source.take(np.arange(1))).y is None:
        task = task.without_labels()

    def complete(batch: Batch) -> Batch:
        completed = task.complete(batch)
        if completed.y is None:
            return replace(completed, y=tuple(predict(original, batch.x)))
        return completed

    first = source.take(np.arange(1))
    masker = original if has_masks(original, first.x) else None
    if source.samples * first.size_bytes <= _HELD_BYTES:
        # In memory: what is small need not be decoded or computed again and again.
        return Evaluator(task=task, source=hold(join(list(map(complete, source.read(1024))))), masker=masker)
    return Evaluator(task=task, source=Changed(source, complete), masker=masker)
