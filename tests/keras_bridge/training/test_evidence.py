"""What is measured for criteria, on models small enough to know the answer."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.keras_bridge.data.batches import hold
from edgeprune.keras_bridge.model.activity import measure_activity
from edgeprune.keras_bridge.model.rebuild import compact
from edgeprune.keras_bridge.model.trace import Traced, trace
from edgeprune.keras_bridge.training.curves import measure_curves
from edgeprune.keras_bridge.training.evaluation import Evaluator, make_evaluator, sample_evaluator
from edgeprune.keras_bridge.training.evidence import gather_evidence
from edgeprune.keras_bridge.training.gradients import iterate_gradients
from edgeprune.keras_bridge.training.task import resolve_task
from edgeprune.keras_bridge.training.train import Training
from edgeprune.prune.criteria import CRITERIA, score_groups
from edgeprune.prune.sweeps import plan_sweeps
from tests.keras_bridge.feeding import inputs_of, labels_of
from tests.keras_bridge.training.test_train import make_data


def plain() -> keras.Model:
    """Convolution with BatchNormalization, depthwise, and a classifier behind Flatten."""
    image = keras.Input((6, 6, 1))
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(layers.Conv2D(6, 3, name="first")(image)))
    x = layers.Conv2D(8, 3, activation="relu", name="second")(layers.DepthwiseConv2D(2, name="spread")(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def normalised() -> keras.Model:
    """Masking weights alone does not switch channels off in front of LayerNormalization."""
    image = keras.Input((6, 6, 1))
    x = layers.Conv2D(6, 3, activation="sigmoid", name="first")(image)
    x = layers.LayerNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def shared() -> keras.Model:
    """One layer called on two inputs, and two nested models whose layers have the same names."""
    image = keras.Input((6, 6, 1))
    twice = layers.Conv2D(5, 3, padding="same", name="twice")
    x = layers.Concatenate()([twice(image), twice(layers.ReLU()(image))])

    def nested(name: str) -> keras.Model:
        inner = keras.Input((6, 6, 10))
        return keras.Model(inner, layers.Conv2D(4, 3, name="conv")(inner), name=name)

    x = layers.Add()([nested("left")(x), nested("right")(x)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


MODELS = {"plain": plain, "normalised": normalised, "shared": shared}


class Opened:
    """A model with everything that is measured on it."""

    def __init__(self, make: Callable[[], keras.Model], *, labelled: bool = True) -> None:
        keras.utils.set_random_seed(0)
        self.model = make()
        rng = np.random.default_rng(0)
        for variable in self.model.weights:
            if "float" in variable.dtype:
                variable.assign(rng.uniform(0.1, 1, variable.shape) * rng.choice([-1, 1], variable.shape))
            if "variance" in variable.path:
                variable.assign(np.abs(variable))
        data = make_data(labelled=labelled, count=200)
        task = resolve_task(self.model, data)
        self.traced: Traced = trace(self.model)
        self.channels: ChannelMap = name_channels(self.traced.graph)
        self.training = Training(source=data.train, task=task, is_labelled=data.is_labelled)
        self.evaluator: Evaluator = make_evaluator(task, self.model, source=hold(data.validation))

    def evidence(self):
        return gather_evidence(
            self.model,
            self.traced,
            channels=self.channels,
            training=self.training,
            evaluator=self.evaluator,
            seed=0,
        )

    def groups_of(self, layer: str) -> np.ndarray:
        node = next(node for node in self.traced.graph.nodes if node.layer == layer)
        return self.channels.tensors[node.outputs[0]]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("name", [name for name, item in CRITERIA.items() if item.needs_data])
def test_every_criterion_scores_real_models_and_leaves_them_as_they_were(name, make) -> None:
    opened = Opened(make)
    before = opened.model.get_weights()
    scores = score_groups(CRITERIA[name], opened.evidence())
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert scores[opened.channels.prunable].std() > 0
    for old, new in zip(before, opened.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_activity_is_that_of_the_tensor_that_the_reader_sees() -> None:
    opened = Opened(plain)
    activity = measure_activity(
        opened.model,
        opened.traced,
        channels=opened.channels,
        training=opened.training,
        seed=0,
        batches=5,
        batch_size=40,
    )  # 200 training samples: each once
    seen = keras.Model(opened.model.input, opened.model.get_layer("second").output)
    values = np.asarray(seen(inputs_of(opened.training.source)[0]))
    groups = opened.groups_of("second")
    np.testing.assert_allclose(activity.magnitude[groups], np.abs(values).mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(activity.nonzero[groups], (values > 0).mean((0, 1, 2)), rtol=1e-5)


def test_activity_is_not_known_where_no_weight_reads_the_channel() -> None:
    opened = Opened(plain)
    activity = opened.evidence().activity()
    outputs = opened.channels.tensors[opened.traced.graph.outputs[0]]
    assert np.isnan(activity.magnitude[outputs]).all()


@pytest.mark.parametrize("name", ["taylor", "hessian"])
@pytest.mark.parametrize("labelled", [True, False])
def test_gradients_find_the_channel_that_nobody_listens_to(name: str, labelled: bool) -> None:
    opened = Opened(plain, labelled=labelled)
    dense = opened.model.layers[-1]
    kernel, bias = dense.get_weights()
    kernel.reshape(-1, 8, 3)[:, 5] = 0  # Flatten puts the channels last
    dense.set_weights([kernel, bias])
    again = trace(opened.model)
    evidence = gather_evidence(
        opened.model,
        again,
        channels=opened.channels,
        training=opened.training,
        evaluator=None,
        seed=0,
    )
    scores = score_groups(CRITERIA[name], evidence)[opened.groups_of("second")]
    assert scores.argmin() == 5
    assert scores[5] == 0


def test_the_hessian_looks_at_no_labels_and_taylor_does() -> None:
    with_labels, without = Opened(plain), Opened(plain, labelled=False)
    for name, is_same in (("hessian", True), ("taylor", False)):
        a, b = (score_groups(CRITERIA[name], opened.evidence()) for opened in (with_labels, without))
        assert np.allclose(a, b) == is_same


def test_gradients_of_layers_with_the_same_path_are_told_apart() -> None:
    opened = Opened(shared)
    paths = [v.path for v in opened.model.weights]
    assert len(set(paths)) < len(paths)  # else this shows nothing
    gradients = next(
        iterate_gradients(opened.model, opened.traced, training=opened.training, seed=0, batches=1)
    )
    for name, layer in opened.traced.graph.layers.items():
        assert set(gradients.get(name, {})) == set(layer.weights)
    # Both are added up, so their kernels have equal gradients, but each has one of its own.
    np.testing.assert_allclose(gradients["left/conv"]["kernel"], gradients["right/conv"]["kernel"], rtol=1e-4)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_point_of_a_curve_is_the_metric_of_the_compacted_model(make) -> None:
    opened = Opened(make)
    scores = np.random.default_rng(1).uniform(size=opened.channels.groups)
    sweeps = plan_sweeps(opened.channels, scores=scores, ratios=(0.5,))
    whole, curves = measure_curves(
        opened.model, opened.traced, channels=opened.channels, sweeps=sweeps, evaluator=opened.evaluator
    )
    assert whole == opened.evaluator.score_model(opened.model)
    assert sweeps
    for sweep, curve in zip(sweeps, curves, strict=True):
        kept = opened.channels.everything
        kept[sweep.order[: sweep.counts[0]]] = False
        smaller = compact(
            opened.model, opened.traced, channels=opened.channels, kept=kept, probe=opened.evaluator.inputs
        )
        assert curve.metrics.tolist() == [opened.evaluator.score_model(smaller.model)]
        assert curve.drops.tolist() == [whole - curve.metrics[0]]


def test_weights_are_put_back_even_when_measuring_fails() -> None:
    opened = Opened(plain)
    before = opened.model.get_weights()
    sweeps = plan_sweeps(opened.channels, scores=np.ones(opened.channels.groups))

    def stop(steps: int = 1, *, detail: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_curves(
            opened.model,
            opened.traced,
            channels=opened.channels,
            sweeps=sweeps,
            evaluator=opened.evaluator,
            advance=stop,
        )
    for old, new in zip(before, opened.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_judge_is_sampled_with_its_labels() -> None:
    evaluator = Opened(plain).evaluator
    few = sample_evaluator(evaluator, samples=5, seed=0)
    assert few.samples == len(labels_of(few.source)) == 5
    for x, y in zip(few.inputs[0], labels_of(few.source), strict=True):
        (row,) = np.flatnonzero((evaluator.inputs[0] == x).all((1, 2, 3)))
        assert labels_of(evaluator.source)[row] == y
    assert sample_evaluator(evaluator, samples=10_000, seed=0) is evaluator
