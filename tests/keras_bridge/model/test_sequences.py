"""Models of sequences at their edges: what stays and why, and what goes in places few think of."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from random_pruning import prune_at_random, random_inputs, randomise

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.keras_bridge.model.rebuild import compact
from edgeprune.keras_bridge.model.trace import trace

Tensor = Any


def _model(body: Callable[[Tensor], Tensor], shape: tuple[int, ...] = (6, 4)) -> keras.Model:
    """Dense → body → Dense, on a sequence."""
    source = keras.Input(shape)
    x = body(layers.Dense(6)(source))
    return keras.Model(source, layers.Dense(2)(layers.Flatten()(x)))


def _widths(channels: ChannelMap, name: str) -> tuple[int, int]:
    """Number of groups in a family, and how many of them may go."""
    of_family = channels.family == channels.family_names.index(name)
    return int(of_family.sum()), int((of_family & channels.prunable).sum())


@keras.saving.register_keras_serializable("tests")
class OwnCell(layers.LSTMCell):
    """A user's cell: nobody knows what it does."""


class Unequal:
    """A Bidirectional layer of unequal directions, whose output Keras takes to be wider than it is."""

    def __call__(self, x: Tensor) -> Tensor:
        back = layers.LSTM(3, go_backwards=True, return_state=True)
        both = layers.Bidirectional(layers.LSTM(5, return_state=True), backward_layer=back, merge_mode=None)
        return both(x)[0]


def _per_frame() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), layers.Dense(5), layers.BatchNormalization()], name="frame")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (layers.RNN(OwnCell(5)), "it has a cell that is not one of Keras'"),
        (layers.RNN([layers.GRUCell(4), OwnCell(5)]), "it has a cell that is not one of Keras'"),
        (layers.Bidirectional(layers.RNN(OwnCell(5))), "it has a cell that is not one of Keras'"),
        (Unequal(), "its two directions differ in width"),
        (layers.TimeDistributed(_per_frame()), "TimeDistributed around a whole model ('frame')"),
        (layers.TimeDistributed(layers.LayerNormalization()), "TimeDistributed around LayerNormalization"),
        (layers.EinsumDense("abc,cc->abc", (6, 6)), "a label stands twice in one operand of 'abc,cc->abc'"),
    ],
)
def test_what_cannot_be_followed_stays_with_the_reason(body: Any, reason: str) -> None:
    model = _model(body)
    compacted, traced, channels, _ = prune_at_random(model, 0)
    assert list(channels.kept_layers.values()) == [reason]
    kept = next(iter(channels.kept_layers))
    for weight, array in traced.graph.layers[kept].weights.items():
        assert compacted.graph.layers[kept].weights[weight].shape == array.shape
    count_macs(Lowering(traced.graph, channels).lower(channels.everything))


def test_a_layer_that_mixes_its_units_keeps_them() -> None:
    model = _model(layers.LSTM(5, activation="softmax", name="mixing"))
    assert _widths(name_channels(trace(model).graph), "mixing") == (5, 0)


def test_states_start_and_end_in_other_layers() -> None:
    def decode(x: Tensor) -> Tensor:
        _, *states = layers.Bidirectional(layers.LSTM(4, return_state=True))(x)
        start = [layers.Concatenate()(pair) for pair in (states[::2], states[1::2])]
        return layers.LSTM(8, return_sequences=True, name="decoder")(x, initial_state=start)

    for seed in range(3):
        _, traced, channels, kept = prune_at_random(_model(decode), seed)
        assert not kept.all()
    # Units of the decoder are tied to those of the encoder, forward and backward alike: four of each.
    assert "decoder" not in channels.family_names
    assert len(np.unique(channels.tensors[traced.graph.nodes[-2].inputs[0]])) == 4


def test_recurrent_layers_that_keep_their_state_are_compared_from_the_start() -> None:
    source = keras.Input(batch_shape=(2, 5, 4))
    x = layers.LSTM(6, stateful=True, return_sequences=True)(source)
    model = keras.Model(source, layers.Dense(2)(layers.GRU(5, stateful=True)(x)))
    for seed in range(3):  # each call leaves a state behind
        _, _, _, kept = prune_at_random(model, seed)
        assert not kept.all()


def test_a_mask_for_each_head_keeps_the_heads() -> None:
    mask = keras.Input((4, 6, 6), dtype="bool")
    source = keras.Input((6, 4))
    x = layers.Dense(8)(source)
    x = layers.MultiHeadAttention(4, 3, name="attention")(x, x, attention_mask=mask)
    model = keras.Model([source, mask], layers.Dense(2)(x))
    _, _, channels, kept = prune_at_random(model, 0)
    assert not kept.all()
    assert _widths(channels, "attention:heads") == (4, 0)


def test_scores_that_are_an_output_keep_the_heads() -> None:
    source = keras.Input((6, 4))
    x = layers.Dense(8)(source)
    x, scores = layers.MultiHeadAttention(3, 4, name="attention")(x, x, return_attention_scores=True)
    model = keras.Model(source, [layers.Dense(2)(x), scores])
    compacted, _, channels, _ = prune_at_random(model, 0)
    assert _widths(channels, "attention:heads") == (3, 0)
    assert _widths(channels, "attention:key_dim") == (4, 4)
    assert compacted.model.output_shape == model.output_shape


@pytest.mark.parametrize("heads", [2, 4, 6])
def test_an_attention_on_as_many_positions_as_heads_never_gets_a_column_for_a_bias(heads: int) -> None:
    """Keras would add a bias of (4, 1) to (batch, 4, 4, 1) along the positions."""
    source = keras.Input((4, 3))
    x = layers.Dense(5)(source)
    x = layers.MultiHeadAttention(heads, 4, name="attention")(x, x)
    model, rng = keras.Model(source, layers.Dense(2)(x)), np.random.default_rng(0)
    randomise(model, rng)
    traced = trace(model)
    channels = name_channels(traced.graph)
    assert _widths(channels, "attention:key_dim") == (4, 4 if heads < 4 else 2)
    kept = channels.everything
    for name, left in {
        "attention:heads": min(heads, 4),
        "attention:key_dim": 1,
        "attention:value_dim": 1,
    }.items():
        of_family = channels.family == channels.family_names.index(name)
        kept[np.flatnonzero(of_family & channels.prunable)[left:]] = False
    compact(model, traced, channels=channels, kept=kept, probe=random_inputs(model, rng))


def test_dimensions_that_an_equation_leaves_open_are_known_all_the_same() -> None:
    einsum = layers.EinsumDense("abc,cd->abd", (None, 8), bias_axes="d")
    source = keras.Input((6, 4))
    x = layers.LSTM(5, return_sequences=True)(layers.Dense(7)(einsum(source)))
    model = keras.Model(source, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    assert x.shape == (None, None, 5)
    _, traced, channels, _ = prune_at_random(model, 0)
    assert list(traced.graph.shapes.values()) == [(6, 4), (6, 8), (6, 7), (6, 5), (5,), (2,)]
    assert count_macs(Lowering(traced.graph, channels).lower(channels.everything)) == (
        6 * (4 * 8 + 8 * 7 + 4 * 5 * (7 + 5)) + 5 * 2
    )


def test_a_step_of_time_distributed_costs_as_often_as_it_is_done() -> None:
    source = keras.Input((5, 8, 8, 2))
    x = layers.TimeDistributed(layers.Conv2D(4, 3))(source)
    model = keras.Model(source, layers.Dense(2)(layers.GRU(3)(layers.TimeDistributed(layers.Flatten())(x))))
    graph = trace(model).graph
    macs = count_macs(Lowering(graph, name_channels(graph)).lower(name_channels(graph).everything))
    assert macs == 5 * 6 * 6 * 9 * 2 * 4 + 5 * (144 + 3) * 9 + 3 * 2


def test_what_lies_behind_an_open_equation_can_be_rebuilt() -> None:
    source = keras.Input((6, 4))
    x = layers.EinsumDense("abc,cd->abd", (None, 8))(source)
    model = keras.Model(source, layers.Dense(2)(layers.Dense(5)(layers.Reshape((6, 8))(x))))
    for seed in range(3):
        _, _, _, kept = prune_at_random(model, seed)
        assert not kept.all()
