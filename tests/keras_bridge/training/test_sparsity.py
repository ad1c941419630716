"""The callback that makes models sparse, on real training."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.keras_bridge.training.sparsity import Sparsifying, SparsityCallback
from edgeprune.prune.masks import parse_pattern
from edgeprune.prune.schedules import Course

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 8, 8, 3)).astype(np.float32)
Y = RNG.integers(0, 4, 96)


def small_model(optimizer: Any = "adam") -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, name="first")(image)))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Flatten()(layers.Conv2D(12, 1, name="second")(x))
    model = keras.Model(image, layers.Dense(4, name="last")(x))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def asked(sparsity: float = 0.8, *, mask: str = "unstructured", **course: Any) -> Sparsifying:
    return Sparsifying(
        pattern=parse_pattern(mask),
        schedule="polynomial_decay",
        course=Course(final_sparsity=sparsity, **{"end_step": 8, **course}),
    )


def sparsity_of(model: keras.Model) -> float:
    kernels = [np.asarray(w) for w in model.weights if w.path.endswith("kernel")]
    return sum(np.count_nonzero(k == 0) for k in kernels) / sum(k.size for k in kernels)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd with momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "adamw with averaged weights": lambda: keras.optimizers.AdamW(1e-2, use_ema=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-2),
    "lion": lambda: keras.optimizers.Lion(1e-3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("mask", ["unstructured", "4x1"])
def test_a_model_is_as_sparse_as_asked_whatever_trains_it(name: str, mask: str) -> None:
    model = small_model(OPTIMIZERS[name]())
    callback = SparsityCallback(asked(0.8, mask=mask))
    model.fit(X, Y, batch_size=16, epochs=3, verbose=0, callbacks=[callback])
    assert callback.step == 18
    assert sparsity_of(model) == pytest.approx(0.8, abs=0.004)


def test_zeros_follow_the_polynomial_step_by_step() -> None:
    seen = []
    model = small_model()
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(sparsity_of(model))
    )
    callback = SparsityCallback(asked(0.8, begin_step=2, end_step=10, frequency=4))
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[callback, look])
    middle = 0.8 * (1 - 0.5**3)
    assert seen == pytest.approx([0, 0, 0, 0, 0, 0, *[middle] * 4, 0.8, 0.8], abs=2e-3)


def test_a_schedule_of_one_step_is_at_its_end() -> None:
    model = small_model()
    model.fit(X[:16], Y[:16], batch_size=16, verbose=0, callbacks=[SparsityCallback(asked(0.5, end_step=0))])
    assert sparsity_of(model) == pytest.approx(0.5, abs=2e-3)


def test_fitting_again_goes_on_with_the_same_masks() -> None:
    model = small_model()
    callback = SparsityCallback(asked(0.8, end_step=3))
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[callback])
    zeros = {kernel: zeros.copy() for kernel, zeros in callback.zeros.items()}
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[callback])
    assert sparsity_of(model) == pytest.approx(0.8, abs=1e-3)
    assert all(np.array_equal(zeros[kernel], callback.zeros[kernel]) for kernel in zeros)


def test_without_the_mask_after_every_step_zeros_would_drift() -> None:
    model = small_model(keras.optimizers.SGD(0.1, momentum=0.9))
    callback = SparsityCallback(asked(0.8, end_step=1))
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[callback])
    model.fit(X, Y, batch_size=16, verbose=0)
    assert sparsity_of(model) < 0.4


def test_kept_layers_stay_dense() -> None:
    model = small_model()
    wanted = asked(0.5)
    callback = SparsityCallback(
        Sparsifying(pattern=wanted.pattern, schedule=wanted.schedule, course=wanted.course, keep=("last",))
    )
    callback.set_model(model)
    callback.update(0.5)
    assert np.count_nonzero(np.asarray(model.get_layer("last").kernel) == 0) == 0
    assert {kernel.layer for kernel in callback.zeros} == {"first", "depthwise", "second"}


def test_a_pattern_of_no_layer_is_refused() -> None:
    callback = SparsityCallback(
        Sparsifying(
            pattern=asked().pattern, schedule="polynomial_decay", course=asked().course, keep=("lost",)
        )
    )
    with pytest.raises(RecipeError, match="matches no layer"):
        callback.set_model(small_model())


def test_a_model_without_kernels_is_refused() -> None:
    vector = keras.Input((4,))
    with pytest.raises(InfeasibleError, match="no kernel"):
        SparsityCallback(asked()).set_model(keras.Model(vector, layers.ReLU()(vector)))


def test_two_of_four_stay_along_what_is_summed_up() -> None:
    model = small_model()
    callback = SparsityCallback(asked(0.5, mask="2:4", end_step=4))
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[callback])
    pointwise = np.asarray(model.get_layer("second").kernel)[0, 0].T  # (12 outputs, 8 inputs)
    assert (np.count_nonzero(pointwise.reshape(-1, 4), axis=1) <= 2).all()


def test_a_step_takes_hardly_longer_than_without() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3))
    x = image
    for width in (16, 32, 32):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(x)))
    model = keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x_train = RNG.normal(size=(320, 32, 32, 3)).astype(np.float32)
    y_train = RNG.integers(0, 10, 320)

    def seconds(*callbacks: keras.callbacks.Callback) -> float:
        started = time.monotonic()
        model.fit(x_train, y_train, batch_size=32, verbose=0, callbacks=list(callbacks))
        return time.monotonic() - started

    callback = SparsityCallback(asked(0.8, end_step=1))
    seconds(callback)
    # Other work on the machine only adds: both minima fall towards the truth, the longer one looks.
    dense = sparse = float("inf")
    for _ in range(30):
        dense, sparse = min(dense, seconds()), min(sparse, seconds(callback))
        if sparse <= 1.05 * dense:
            break
    assert sparse <= 1.1 * dense
