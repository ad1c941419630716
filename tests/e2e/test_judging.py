"""How the loop scores students: never with stale statistics, and one that is lost is given up."""

from pathlib import Path

import keras
import numpy as np
import pytest
from e2e.conftest import DIGITS

import edgeprune
from edgeprune.build.artefact import make_artefact
from edgeprune.build.job import Job, open_job
from edgeprune.build.request import BuildRequest
from edgeprune.build.verify import find_reference
from edgeprune.errors import InfeasibleError
from edgeprune.methods.loop import SETTLED_STEPS, Segment, _judge
from edgeprune.progress import Silent


@pytest.fixture(scope="module")
def job(place: Path) -> Job:
    request = BuildRequest(model=place / "small.keras", device="cortex-m7", data=str(DIGITS))
    return open_job(request, progress=Silent())


class Noted(Silent):
    """Keeps what a user would be told, and warned of."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def judge(model: keras.Model, segment: Segment, job: Job) -> float:
    return _judge(model, segment, evaluator=job.inputs.validation, training=job.inputs.training, seed=0)


def test_a_student_is_judged_with_statistics_that_suit_it(place: Path, job: Job) -> None:
    model = keras.saving.load_model(place / "small.keras")
    (batch_norm,) = (layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    before = judge(model, Segment(fraction=0.0, steps=SETTLED_STEPS), job)
    batch_norm.moving_mean.assign(np.full(batch_norm.moving_mean.shape, 1e3, np.float32))
    stale = np.asarray(batch_norm.moving_mean)

    after_pruning = judge(model, Segment(fraction=0.5, steps=10), job)
    after_few_steps = judge(model, Segment(fraction=0.0, steps=10), job)

    assert job.inputs.validation.score_model(model) < 0.3
    assert before - after_pruning < 0.05
    assert after_few_steps == after_pruning
    np.testing.assert_array_equal(np.asarray(batch_norm.moving_mean), stale)


def test_a_result_is_held_against_the_original_as_it_could_be(place: Path, job: Job, tmp_path: Path) -> None:
    model = keras.saving.load_model(place / "small.keras")
    (batch_norm,) = (layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    batch_norm.moving_mean.assign(3 * np.asarray(batch_norm.moving_mean)[::-1])
    model.save(tmp_path / "lagging.keras")
    progress = Noted()
    request = BuildRequest(
        model=tmp_path / "lagging.keras", device="cortex-m7", data=str(DIGITS), accept=("input-range",)
    )
    lagging = open_job(request, progress=progress)

    given = make_artefact(lagging.inputs.model, lagging)
    held_against, what = find_reference(lagging.inputs, given)
    assert given.float_accuracy < 0.7
    assert held_against == pytest.approx(job.inputs.test.score_model(job.inputs.model), abs=0.05)
    assert "estimated anew" in what
    assert any("BatchNorm statistics re-estimated" in note for note in progress.notes)

    sound = make_artefact(job.inputs.model, job)
    assert find_reference(job.inputs, sound) == (sound.float_accuracy, "the original's accuracy")


def test_a_student_that_stays_at_chance_is_given_up(place: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "def train(model, epochs, callbacks):\n"
        "    *others, bias = model.get_weights()\n"
        "    bias[3] = 1e4\n"
        "    model.set_weights([*others, bias])\n"
    )
    progress = Noted()
    with pytest.raises(InfeasibleError) as error:
        edgeprune.build(
            place / "small.keras",
            data=str(DIGITS),
            device="cortex-m7",
            latency_ms=0.55,
            epochs=20,
            whole_layers=False,
            train=f"{tmp_path / 'own.py'}:train",
            progress=progress,
        )
    assert any("still no better than always giving the commonest answer" in w for w in progress.warnings)
    steps = error.value.best.to_json()["steps"]
    assert 0 < sum(step["kind"] == "recover" for step in steps) <= 2


def test_one_that_goes_on_while_it_gains_is_given_up_as_well(place: Path) -> None:
    progress = Noted()
    with pytest.raises(InfeasibleError) as error:
        edgeprune.build(
            place / "small.keras",
            data=str(DIGITS),
            device="cortex-m7",
            latency_ms=0.55,
            learning_rate=30.0,
            whole_layers=False,
            progress=progress,
        )
    assert any("still no better than always giving the commonest answer" in w for w in progress.warnings)
    steps = error.value.best.to_json()["steps"]
    assert sum(step["kind"] == "recover" for step in steps) <= 2
