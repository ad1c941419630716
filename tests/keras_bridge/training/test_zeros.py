"""Zeros that are made in a Keras model are zeros in the file that is flashed."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import InfeasibleError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.training.sparsity import Sparsifying, SparsityCallback
from edgeprune.prune.masks import parse_pattern
from edgeprune.prune.schedules import Course
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip
from edgeprune.tflite.zeros import require_zeros


def images() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, use_bias=False, name="conv2d")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(x))
    return keras.Model(image, layers.Dense(10, name="dense")(layers.Flatten()(x)))


def sequences() -> keras.Model:
    sequence = keras.Input((12, 4))
    x = layers.Conv1D(8, 3, activation="relu", name="conv1d")(sequence)
    return keras.Model(sequence, layers.Dense(3, name="dense")(layers.LSTM(8, name="lstm")(x)))


MODELS = {"images": images, "sequences": sequences}
KERNELS = {
    "images": {"conv2d/kernel": 1, "depthwise/kernel": 1, "dense/kernel": 1},
    "sequences": {"conv1d/kernel": 1, "lstm/kernel": 4, "lstm/recurrent_kernel": 4, "dense/kernel": 1},
}
"""Kernel → the number of tensors it becomes: an LSTM has four gates."""


def sparsify(model: keras.Model, *, mask: str, sparsity: float) -> SparsityCallback:
    callback = SparsityCallback(
        Sparsifying(
            pattern=parse_pattern(mask),
            schedule="constant_sparsity",
            course=Course(final_sparsity=sparsity, end_step=1),
            scope="local",
        )
    )
    callback.set_model(model)
    callback.update(sparsity)
    return callback


def convert_sparse(model: keras.Model) -> Model:
    rng = np.random.default_rng(0)
    few = tuple(rng.normal(size=(8, *t.shape[1:])).astype(np.float32) for t in model.inputs)
    return read_model(strip(convert(model, scheme="int8", representative=few)), where="model.tflite")


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.8, 0.98])
@pytest.mark.parametrize("mask", ["unstructured", "4x1", "2:4", "4:8"])
@pytest.mark.parametrize("name", MODELS)
def test_zeros_survive_folding_and_quantization(name: str, mask: str, sparsity: float) -> None:
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    made = sparsify(model, mask=mask, sparsity=sparsity).zeros
    arrived = require_zeros(convert_sparse(model), {kernel.name: zeros for kernel, zeros in made.items()})
    assert [item.kernel for item in arrived] == [kernel.name for kernel, z in made.items() if z.any()]
    for item in arrived:
        assert item.zeros == item.masked
        assert len(item.tensors) == KERNELS[name][item.kernel]
    if sparsity:
        share = sum(item.masked for item in arrived) / sum(kernel.size for kernel in made)
        assert share == pytest.approx(sparsity, abs=0.03)


def test_a_zero_that_is_lost_is_an_error_that_names_the_tensor() -> None:
    model = images()
    made = {
        kernel.name: zeros
        for kernel, zeros in sparsify(model, mask="unstructured", sparsity=0.5).zeros.items()
    }
    kernel = model.get_layer("dense").kernel
    drifted = np.asarray(kernel).copy()
    drifted[drifted == 0] = 0.05  # as fine-tuning without masks would do it
    kernel.assign(drifted)
    with pytest.raises(InfeasibleError, match="zeros of 'dense/kernel' did not arrive") as error:
        require_zeros(convert_sparse(model), made)
    assert "tensor" in str(error.value.where)


def test_zeros_of_a_kernel_that_is_not_in_the_file_are_missed() -> None:
    with pytest.raises(InfeasibleError, match=r"and 9999 were made|zeros, and"):
        require_zeros(convert_sparse(images()), {"lost/kernel": np.ones((99, 101), dtype=bool)})


def test_a_zero_is_the_zero_point_of_its_channel() -> None:
    model = convert_sparse(images())
    index, tensor = next(
        (t.index, t)
        for t in model.subgraphs[0].tensors
        if t.is_constant and t.dtype == "int8" and t.scales.size > 1
    )
    assert index == tensor.index
    from edgeprune.tflite.zeros import find_zeros

    moved = dataclasses.replace(tensor, zero_points=tensor.zero_points + 7)
    values = tensor.data.view(np.int8).reshape(tensor.shape)  # type: ignore[union-attr]
    np.testing.assert_array_equal(find_zeros(moved), values == 7)


def test_an_lstm_becomes_one_op_and_other_loops_are_unrolled() -> None:
    ops = [op.name for op in convert_sparse(sequences()).subgraphs[0].ops]
    assert ops.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 1
    sequence = keras.Input((5, 4))
    for layer in (layers.GRU(3), layers.SimpleRNN(3), layers.LSTM(3, recurrent_activation="hard_sigmoid")):
        converted = convert_sparse(keras.Model(sequence, layer(sequence)))
        assert len(converted.subgraphs) == 1
        assert "WHILE" not in {op.name for op in converted.subgraphs[0].ops}
        assert layer.unroll is False  # the layer is as it was
