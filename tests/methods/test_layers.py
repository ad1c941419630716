"""Which whole layers are worth a trial, one at a time and many at once."""

import keras
import pytest
from keras import layers
from methods.test_plans import ask_for

from edgeprune.graph.branches import Branch, find_branches
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.methods.layers import (
    LEAST_REPEATS,
    MOST_CANDIDATES,
    find_removable,
    list_worthwhile,
    split_repeats,
)
from edgeprune.methods.plans import MISSES, choose_plan


def make_deep(*stages: int, blocks: int = 1) -> keras.Model:
    """A classifier of digits: of every width a convolution, then blocks that keep their input's shape."""
    fix_seeds(0)
    x = image = keras.Input((8, 8, 1))
    for width in stages:
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        for _ in range(blocks):
            x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
            x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(width, 1)(x)))
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def find_worthwhile(model: keras.Model, *, share: float) -> tuple[tuple[Branch, ...], ...]:
    asked, trainer, pruner = ask_for(model, share=share, epochs=1)
    removable = find_removable(asked.start.model, limits=asked.limits)
    return list_worthwhile(
        asked.start.model,
        trace(asked.start.model),
        removable,
        pruner=pruner,
        training=trainer.training,
        seed=0,
    )


def test_of_layers_that_repeat_others_more_and_more_go_at_once() -> None:
    ways = find_worthwhile(make_deep(8, blocks=10), share=0.4)
    counts = [len(way) for way in ways]
    many = [count for count in counts if count > 1]
    assert many
    assert many == [count for count in (2, 4, 8, 10) if many[0] <= count <= many[-1]]
    assert counts == [*[1] * (len(counts) - len(many)), *many]
    for way in ways:
        gone = [layer for branch in way for layer in branch.layers]
        assert len(set(gone)) == len(gone)


def test_of_few_layers_that_repeat_one_another_none_go_at_once() -> None:
    few = LEAST_REPEATS - 1
    assert all(len(way) == 1 for way in find_worthwhile(make_deep(8, blocks=few), share=0.4))


def test_of_layers_that_repeat_no_other_one_goes_at_a_time() -> None:
    ways = find_worthwhile(make_deep(8, 12), share=0.8)
    assert 1 <= len(ways) <= MOST_CANDIDATES
    assert all(len(way) == 1 for way in ways)


def test_more_go_only_where_one_leaves_channels_much_to_lose() -> None:
    ways = find_worthwhile(make_deep(8, blocks=10), share=0.92)
    assert ways
    assert all(len(way) == 1 for way in ways)


def test_what_repeats_is_told_by_its_shape() -> None:
    graph = trace(make_deep(8, 12, blocks=2)).graph
    repeats, others = split_repeats(graph, find_branches(graph))
    assert [len(repeats), len(others)] == [4, 0]
    repeats, others = split_repeats(graph, find_branches(graph)[1:])
    assert [len(repeats), len(others)] == [2, 1]


@pytest.mark.parametrize(("share", "expected"), [(0.2, True), (0.6, False)])
def test_too_short_for_trials_layers_go_only_where_channels_alone_do_not_do(
    share: float, expected: bool
) -> None:
    asked, trainer, pruner = ask_for(make_deep(4, blocks=10), share=share, epochs=1)
    removable = find_removable(asked.start.model, limits=asked.limits)
    choice = choose_plan(asked.start.model, removable, pruner=pruner, trainer=trainer)
    assert choice.steps == 0
    assert bool(choice.branches) is expected
    assert (MISSES in choice.note) is expected
