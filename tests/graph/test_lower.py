"""What layers become as TFLite ops."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.graph.channels import name_channels
from edgeprune.graph.lower import Lowering, count_macs, peak_activation_bytes
from edgeprune.graph.opshape import OpShape
from edgeprune.keras_bridge.trace import trace
from tests.graph.examples import EXAMPLES


def lower(model: keras.Model) -> tuple[OpShape, ...]:
    graph = trace(model).graph
    channels = name_channels(graph)
    return Lowering(graph, channels).lower(channels.everything)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_example_is_lowered_to_the_macs_of_its_weights(kind: str) -> None:
    ops = lower(EXAMPLES[kind]())
    assert count_macs(ops) > 0
    assert all(op.output[0] >= 1 and all(op.output) for op in ops)


def test_a_batch_norm_after_a_convolution_is_folded_and_one_alone_is_not() -> None:
    image = keras.Input((4, 4, 3))
    folded = layers.BatchNormalization()(layers.Conv2D(5, 3)(image))
    alone = layers.BatchNormalization()(layers.MaxPooling2D()(folded))
    ops = [op.op for op in lower(keras.Model(image, alone))]
    assert ops == ["CONV_2D", "MAX_POOL_2D", "MUL", "ADD"]


def test_flatten_becomes_a_reshape_of_all_elements() -> None:
    image = keras.Input((2, 3, 4))
    (op,) = lower(keras.Model(image, layers.Flatten()(image)))
    assert (op.op, op.inputs, op.output) == ("RESHAPE", ((1, 2, 3, 4),), (1, 24))


def test_removed_channels_shrink_the_ops_on_both_sides() -> None:
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, layers.Conv2D(2, 1)(layers.Conv2D(8, 3, padding="same")(image)))
    graph = trace(model).graph
    channels = name_channels(graph)
    kept = channels.everything
    kept[np.flatnonzero(channels.prunable)[:3]] = False
    first, second = Lowering(graph, channels).lower(kept)
    assert first.filter == (5, 3, 3, 3)
    assert second.filter == (2, 1, 1, 5)
    assert first.macs == 4 * 4 * 5 * 27


def test_the_peak_is_where_two_tensors_and_the_shortcut_are_alive() -> None:
    image = keras.Input((4, 4, 2))
    first = layers.Conv2D(8, 1, name="first")(image)
    second = layers.Conv2D(8, 1, name="second")(first)
    model = keras.Model(image, layers.Add()([first, second]))
    graph = trace(model).graph
    # Adding: first, second and their sum, 16 pixels of 8 bytes each.
    assert peak_activation_bytes(graph, dict(graph.shapes)) == 3 * 16 * 8
