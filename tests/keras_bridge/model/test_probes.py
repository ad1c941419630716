import keras
import numpy as np
from keras import layers, ops

from edgeprune.keras_bridge.model.probes import draw_inputs
from edgeprune.keras_bridge.model.trace import trace


def drawn(model: keras.Model, **options: int) -> list[np.ndarray]:
    return draw_inputs(model, trace(model).graph, seed=0, **options)


def test_numbers_are_drawn_where_nothing_is_looked_up() -> None:
    vector = keras.Input((4,), dtype="float16")
    (x,) = drawn(keras.Model(vector, layers.Dense(2)(vector)), samples=1000)
    assert x.shape == (1000, 4)
    assert x.dtype == np.float16
    assert abs(x.mean()) < 0.1
    assert abs(x.std() - 1) < 0.1


def test_tokens_are_below_the_size_of_the_smallest_table_they_reach() -> None:
    tokens, others = keras.Input((6,)), keras.Input((3,), dtype="int64")
    cut = layers.Embedding(5, 4)(tokens[:, :2])
    full = layers.Embedding(9, 4)(ops.cast(layers.Reshape((6,))(tokens), "int32"))
    rest = layers.TimeDistributed(layers.Embedding(7, 4))(layers.Reshape((3, 1))(others))
    found = [layers.Flatten()(x) for x in (cut, full, rest)]
    model = keras.Model([tokens, others], layers.Dense(1)(layers.Concatenate()(found)))

    first, second = drawn(model, samples=200)

    assert set(np.unique(first)) == set(range(5))
    assert first.dtype == np.float32
    assert set(np.unique(second)) == set(range(7))
    assert second.dtype == np.int64


def test_what_a_layer_with_weights_makes_is_no_token() -> None:
    vector = keras.Input((4,))
    rounded = ops.cast(ops.sigmoid(layers.Dense(3)(vector)), "int32")
    (x,) = drawn(keras.Model(vector, layers.Embedding(5, 2)(rounded)))
    assert (x != np.round(x)).any()


def test_bytes_and_flags_are_whole_numbers() -> None:
    image, flag = keras.Input((8, 8, 3), dtype="uint8"), keras.Input((2,), dtype="bool")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    x = layers.Concatenate()([x, ops.cast(flag, "float32")])
    pixels, flags = drawn(keras.Model([image, flag], layers.Dense(1)(x)))
    assert pixels.dtype == np.uint8
    assert pixels.max() > 200
    assert flags.dtype == bool


def test_a_fixed_batch_size_is_kept() -> None:
    vector = keras.Input(batch_shape=(2, 4))
    (x,) = drawn(keras.Model(vector, layers.Dense(1)(vector)), samples=8)
    assert x.shape == (2, 4)
