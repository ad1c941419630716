"""What the owner of a model says about training it, from the command line to the artefact."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import edgeprune
from edgeprune.errors import DataError, ModelError, RecipeError
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.progress import Silent
from edgeprune.report.html import render_html

RNG = np.random.default_rng(0)
X = RNG.normal(size=(320, 8)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
ARRAYS = (X[:256], Y[:256], X[256:], Y[256:])


def trained(**compiled: Any) -> keras.Model:
    fix_seeds(1)
    features = keras.Input((8,), name="features")
    h = layers.Dense(32, activation="relu", name="wide")(features)
    h = layers.Dense(24, activation="relu", name="deep")(h)
    model = keras.Model(features, layers.Dense(2, activation="softmax", name="kind")(h), name="owned")
    settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled
    model.compile(optimizer=settings.pop("optimizer", keras.optimizers.Adam(1e-2)), **settings)
    model.fit(X[:256], Y[:256], epochs=8, verbose=0)
    return model


def build(model: Any, data: Any, **options: Any) -> Any:
    settings = {"device": "cortex-m7", "epochs": 2, "latency_ms": 0.015, "max_drop": 0.3} | options
    return edgeprune.build(model, data=data, progress=False, **settings)


def test_a_loop_of_ones_own_meets_the_same_budgets_and_its_masks_hold(tmp_path: Path) -> None:
    (tmp_path / "loops.py").write_text(
        "import numpy as np\n"
        "import tensorflow as tf\n\n"
        "CALLS = []\n\n\n"
        "def train(model, epochs, callbacks):\n"
        "    CALLS.append(epochs)\n"
        "    x = np.load(__file__.replace('loops.py', 'x.npy'))\n"
        "    y = np.load(__file__.replace('loops.py', 'y.npy'))\n"
        "    loss = tf.keras.losses.SparseCategoricalCrossentropy()\n"
        "    for _ in range(epochs):\n"
        "        for i in range(0, len(x), 32):\n"
        "            with tf.GradientTape() as tape:\n"
        "                value = loss(y[i : i + 32], model(x[i : i + 32], training=True))\n"
        "            found = tape.gradient(value, model.trainable_variables)\n"
        "            model.optimizer.apply_gradients(zip(found, model.trainable_variables))\n"
        "            for callback in callbacks:\n"
        "                callback.on_train_batch_end(i // 32)\n\n\n"
        "def broken(model, epochs, callbacks):\n"
        "    raise ValueError('no such tap')\n"
    )
    np.save(tmp_path / "x.npy", X[:256])
    np.save(tmp_path / "y.npy", Y[:256])
    model = trained()
    ours = build(model, ARRAYS)
    own = build(model, ARRAYS, train=f"{tmp_path / 'loops.py'}:train")
    assert own.fits
    assert own.figures["latency_ms"].value <= 0.015
    assert [b["value"] for b in own.report.budgets] == [b["value"] for b in ours.report.budgets]
    assert own.report.steps[-1]["accuracy"] > 0.8
    sparse = edgeprune.sparsify(
        model,
        data=ARRAYS,
        final_sparsity=0.5,
        epochs=2,
        train=f"{tmp_path / 'loops.py'}:train",
        progress=False,
    )
    kernel = sparse.model.get_layer("wide").kernel
    assert np.mean(np.asarray(kernel) == 0) > 0.2
    with pytest.raises(RecipeError, match=r"training loop failed.*ValueError: no such tap, in broken, line"):
        build(model, ARRAYS, train=f"{tmp_path / 'loops.py'}:broken")


def test_an_endless_generator_needs_the_length_of_an_epoch() -> None:
    def endless() -> Iterator[Any]:
        rng = np.random.default_rng(3)
        while True:
            rows = rng.integers(0, 256, 32)
            yield X[rows], Y[rows]

    built = build(trained(), {"train": endless, "test": (X[256:], Y[256:])}, steps_per_epoch=8)
    assert built.fits
    assert built.report.data is not None
    assert built.report.data["counts"]["train"] == 256
    with pytest.raises(DataError, match="only once"):
        build(trained(), {"train": endless(), "test": (X[256:], Y[256:])}, steps_per_epoch=8)


def test_a_py_dataset_with_sample_weights_is_trained_on() -> None:
    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 8

        def __getitem__(self, number: int) -> Any:
            rows = slice(32 * number, 32 * number + 32)
            return X[rows], Y[rows], np.ones(32, np.float32)

    built = build(trained(), {"train": Batches(), "test": (X[256:], Y[256:])})
    assert built.report.data["counts"]["train"] == 256


def test_class_weights_move_the_decision() -> None:
    few = {"train": (X[:256], Y[:256]), "test": (X[256:], Y[256:]), "class_weight": {0: 1.0, 1: 50.0}}
    built = build(trained(), few, epochs=20)
    plain = build(trained(), ARRAYS, epochs=20)
    ones = [np.mean(b.model.predict(X[256:], verbose=0).argmax(-1)) for b in (built, plain)]
    assert ones[0] > ones[1]


def test_a_loss_and_a_metric_of_ones_own_in_memory_are_used() -> None:
    def doubled(y: Any, p: Any) -> Any:
        return 2 * keras.losses.sparse_categorical_crossentropy(y, p)

    def surprise(y: Any, p: Any) -> Any:
        return keras.ops.exp(keras.losses.sparse_categorical_crossentropy(y, p))

    model = trained(loss=doubled, metrics=[surprise])
    with pytest.raises(RecipeError, match="--metric-mode"):
        build(model, ARRAYS, metric="surprise")
    built = build(model, ARRAYS, metric="surprise", metric_mode="min", max_drop="50%")
    assert built.report.task["loss"] == "doubled"
    assert (built.report.task["metric"], built.report.task["higher_is_better"]) == ("surprise", False)
    p = built.model.predict(X[256:], verbose=0)[np.arange(64), Y[256:]]
    assert built.report.task["metrics"][0]["pruned_float"] == pytest.approx(float(np.mean(1 / p)), rel=1e-3)


def test_the_owners_optimizer_goes_on_with_its_first_learning_rate() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.5)
    built = build(trained(optimizer=keras.optimizers.RMSprop(schedule)), ARRAYS)
    assert built.report.settings["optimizer"].startswith("RMSprop, learning rate 0.02 (as compiled)")
    built = build(trained(), ARRAYS, optimizer="sgd", learning_rate=0.05, batch_size=16)
    assert built.report.settings["optimizer"].startswith("SGD, learning rate 0.05 (from --learning-rate)")
    assert built.report.settings["batch_size"] == 16


def test_a_file_whose_loss_is_not_known_is_refused_with_the_way_to_give_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import keras\n\n\n"
        "def tilted(y, p):\n"
        "    return 3 * keras.losses.sparse_categorical_crossentropy(y, p)\n"
    )
    namespace: dict[str, Any] = {"__name__": "mine"}
    exec(compile((tmp_path / "mine.py").read_text(), "mine.py", "exec"), namespace)
    trained(loss=namespace["tilted"]).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"--custom file\.py:tilted"):
        build(tmp_path / "m.keras", ARRAYS)
    given = build(tmp_path / "m.keras", ARRAYS, custom=[f"{tmp_path / 'mine.py'}:tilted"])
    assert given.report.task["loss"] == "tilted"
    chosen = build(tmp_path / "m.keras", ARRAYS, loss="sparse_categorical_crossentropy")
    assert chosen.report.task["loss"] == "sparse_categorical_crossentropy"


def test_a_model_of_which_nothing_can_be_trained_is_refused_before_any_work() -> None:
    model = trained()
    model.trainable = False
    with pytest.raises(ModelError, match="every layer is frozen"):
        build(model, ARRAYS)


def test_a_model_that_takes_text_is_refused_by_name() -> None:
    text = keras.Input((1,), dtype="string", name="review")
    tokens = layers.TextVectorization(vocabulary=["good", "bad"], output_sequence_length=4)(text)
    model = keras.Model(text, layers.Dense(1)(layers.Flatten()(layers.Embedding(4, 3)(tokens))))
    with pytest.raises(ModelError, match=r"'review' takes text.*TextVectorization"):
        build(model, (np.array([["good"]]), np.array([1]), np.array([["bad"]]), np.array([0])))


class Noting(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(("cell", "is_said"), [(layers.LSTM, True), (layers.GRU, False)])
def test_a_state_that_the_application_must_reset_is_told_and_reported(cell: Any, is_said: bool) -> None:
    fix_seeds(0)
    steps = keras.Input((4, 2), name="steps")
    model = keras.Model(steps, layers.Dense(2, activation="softmax")(cell(3)(steps)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = X.reshape(320, 4, 2)
    progress, data = Noting(), (x[:256], Y[:256], x[256:], Y[256:])
    built = edgeprune.build(
        model, data=data, device="cortex-m7", latency_ms=100, max_drop=0.9, epochs=1, progress=progress
    )
    said = "keeps the state of its recurrent layers"
    assert any(said in note for note in progress.notes) == is_said
    assert any(said in note for note in built.report.quantization["notes"]) == is_said
    assert ("The file " + said in render_html(built.report.to_json())) == is_said


def test_a_model_at_chance_is_called_so() -> None:
    shuffled = np.random.default_rng(7).permutation(Y)
    parts = {"train": slice(160), "val": slice(160, 256), "test": slice(256, None)}
    data = {part: (X[rows], shuffled[rows]) for part, rows in parts.items()}
    built = build(trained(), data, latency_ms=100, max_drop=0.9)
    assert any("no better than always giving the commonest answer" in n for n in built.report.data["notes"])


def test_a_drop_means_what_it_says() -> None:
    model = trained(metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="ce")])
    asked = {"0.5": 0.5, "50%": None}
    for text in asked:
        built = build(model, ARRAYS, metric="ce", max_drop=text)
        check = next(check for check in built.report.checks if check["name"] == "accuracy")
        before = built.report.task["metrics"][0]["dense_float"]
        allowed = before + 0.5 if text == "0.5" else 1.5 * before
        assert check["budget"] == pytest.approx(allowed, rel=1e-3)
    with pytest.raises(RecipeError, match="max_drop: is much"):
        build(model, ARRAYS, max_drop="much")
