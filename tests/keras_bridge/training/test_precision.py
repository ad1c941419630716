"""Recovery in bfloat16: forced here on a CPU, which has slow kernels for it."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.training.inference import predict
from edgeprune.keras_bridge.training.precision import MIXED, choose_policy, computing_in
from edgeprune.keras_bridge.training.train import Recovery, Trained, Tuner
from tests.keras_bridge.training.test_train import make_model, make_training

STEPS = 12


def tune(policy: str) -> tuple[keras.Model, Trained]:
    """A student that followed a teacher for a few steps."""
    recovery = Recovery(total_steps=STEPS, batch_size=8, policy=policy, seed=3)
    tuner = Tuner(make_model(1), make_model(2), training=make_training(), recovery=recovery)
    return tuner.student, tuner.tune(STEPS, start=Trained(step=0, optimizer=[], losses=[]))


def test_without_a_gpu_that_has_kernels_for_it_nothing_is_mixed() -> None:
    assert choose_policy(None) == "float32"
    assert choose_policy(True) == MIXED
    assert choose_policy(False) == "float32"


def test_the_same_is_learnt_but_for_rounding() -> None:
    plain, at_plain = tune("float32")
    mixed, at_mixed = tune(MIXED)
    assert at_mixed.losses == pytest.approx(at_plain.losses, rel=0.01)
    distances = [np.abs(a - b).max() for a, b in zip(plain.get_weights(), mixed.get_weights(), strict=True)]
    assert 0 < max(distances) < 0.05


def test_weights_and_what_comes_afterwards_are_float32() -> None:
    student, trained = tune(MIXED)
    assert {layer.compute_dtype for layer in student._flatten_layers()} == {"float32"}
    assert {str(v.dtype) for v in student.trainable_variables} == {"float32"}
    assert {a.dtype for a in trained.optimizer if a.dtype.kind == "f"} == {np.dtype(np.float32)}
    x = make_training().source.take(np.arange(8)).x
    again = keras.models.clone_model(student)
    again.set_weights(student.get_weights())
    np.testing.assert_array_equal(predict(student, x)[0], predict(again, x)[0])


class Own(layers.Layer):
    """Somebody's layer, which may not know of policies."""

    def call(self, x: Any) -> Any:
        return x


def test_outputs_recurrent_layers_and_layers_of_ones_own_stay_float32() -> None:
    x = keras.Input((5, 3))
    inner = keras.Sequential([keras.Input((5, 4)), layers.Dense(4, name="nested")])
    y = inner(Own(name="own")(layers.Conv1D(4, 3, padding="same", name="conv")(x)))
    y = layers.Bidirectional(layers.LSTM(4), name="recurrent")(y)
    model = keras.Model(x, [layers.Dense(2, name="first")(y), layers.Dense(3, name="second")(y)])
    with computing_in(MIXED, model):
        kinds = {layer.name: layer.compute_dtype for layer in model._flatten_layers()}
        assert {str(output.dtype) for output in model(np.zeros((1, 5, 3), np.float32))} == {
            "<dtype: 'float32'>"
        }
    assert {name for name, kind in kinds.items() if kind == "bfloat16"} >= {"conv", "nested"}
    assert {kinds[name] for name in ("own", "recurrent", "first", "second")} == {"float32"}
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"float32"}
