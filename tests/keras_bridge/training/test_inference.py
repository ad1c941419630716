import keras
import numpy as np
from keras import layers

from edgeprune.keras_bridge.training.inference import bound_batch, predict, predict_once


def test_large_images_are_run_few_at_a_time_and_give_the_same():
    image = keras.Input((None, None, 3))
    h = layers.Conv2D(64, 3, padding="same")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(h))
    small, large = np.zeros((300, 8, 8, 3)), np.random.default_rng(0).random((20, 256, 256, 3))
    assert bound_batch(model, [small], 256) == 256
    # 256 x 256 x (64 + 3) floats are 17 MB
    assert 20 < bound_batch(model, [large], 256) < 40
    deep = keras.Sequential([keras.Input((256, 256, 3)), *[layers.Conv2D(64, 3) for _ in range(9)]])
    size = bound_batch(deep, [large], 256)
    assert 2 <= size <= 4
    tail = keras.Model(deep.inputs[0], layers.GlobalAveragePooling2D()(deep.outputs[0]))
    few = large[:5]
    whole = np.concatenate([np.asarray(tail(few[i : i + 1].astype("float32"))) for i in range(5)])
    for run in (predict, predict_once):
        np.testing.assert_allclose(run(tail, [few])[0], whole, rtol=1e-4, atol=1e-6)


def test_a_model_with_a_batch_size_of_its_own_keeps_it():
    fixed = keras.Sequential([keras.Input(batch_shape=(32, 512, 512, 3)), layers.Conv2D(64, 3)])
    assert bound_batch(fixed, [np.zeros((32, 512, 512, 3), np.uint8)], 32) == 32
