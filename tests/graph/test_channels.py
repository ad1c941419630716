import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, depthwise, graph_of

from edgeprune.graph.channel_ids import ChannelSpace, fixed
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph

IMAGE = (4, 4)


def letters(channels: ChannelMap, tensor: str) -> str:
    """The groups along a tensor, as letters in order of first appearance over the whole model."""
    names: dict[int, str] = {}
    for groups in channels.tensors.values():
        for group in groups.tolist():
            names.setdefault(group, chr(ord("a") + len(names)))
    return "".join(names[group] for group in channels.tensors[tensor].tolist())


def reasons(channels: ChannelMap, tensor: str) -> set[str]:
    return {channels.frozen[group] for group in channels.tensors[tensor].tolist()}


def stem(width: int = 4) -> Made:
    return conv("a", "x", cin=3, cout=width)


def graph_with(*calls: Made, width: int = 4, end: str = "", cin: int = 0) -> LayerGraph:
    """x(3) → a → calls → end(2)."""
    last = end or calls[-1].name
    head = conv("end", last, cin=cin or calls[-1].shape[-1], cout=2)
    return graph_of({"x": (4, 4, 3)}, stem(width), *calls, head)


def test_tied_channels_become_one_group_and_frozen_ones_keep_the_first_reason() -> None:
    space = ChannelSpace()
    a, b, c = (space.fresh(2, name=name) for name in "abc")
    space.tie(a, b)
    space.freeze(b[:1], "first")
    space.freeze(a[:1], "second")
    groups = space.close()
    assert groups.of_id.tolist() == [0, 1, 0, 1, 2, 3, 4]  # the last one is that of FIXED
    assert groups.frozen == ("first", "", "", "", "no channel")
    assert groups.family_names == ("a", "c", "no channels")
    assert groups.family.tolist() == [0, 0, 1, 1, 2]
    assert c.tolist() == [4, 5]


def test_ties_are_transitive() -> None:
    space = ChannelSpace()
    ids = [space.fresh(1, name=str(i)) for i in range(5)]
    for first, second in ((3, 4), (0, 1), (1, 4)):
        space.tie(ids[first], ids[second])
    assert space.close().of_id.tolist() == [0, 0, 1, 0, 0, 2]


def test_what_is_tied_to_no_channel_stays() -> None:
    space = ChannelSpace()
    a = space.fresh(3, name="a")
    space.tie(a[:2], fixed(2))
    assert [bool(reason) for reason in space.close().frozen] == [True, True, False, True]


def test_channels_of_different_number_cannot_be_tied() -> None:
    space = ChannelSpace()
    with pytest.raises(ValueError, match="differ in number"):
        space.tie(space.fresh(2, name="a"), space.fresh(3, name="b"))


def test_a_convolution_makes_new_channels_and_reads_its_inputs() -> None:
    channels = name_channels(graph_with(conv("b", "a", cin=4, cout=5)))
    assert [letters(channels, t) for t in ("x", "a", "b", "end")] == ["abc", "defg", "hijkl", "mn"]
    kernel = channels.axes["b"]["kernel"]
    assert kernel[:2] == (None, None)
    assert kernel[2].tolist() == channels.tensors["a"].tolist()
    assert kernel[3].tolist() == channels.axes["b"]["bias"][0].tolist() == channels.tensors["b"].tolist()
    assert channels.consumes["b"] == (("kernel", 2),)


def test_inputs_and_outputs_of_the_model_stay() -> None:
    channels = name_channels(graph_with(conv("b", "a", cin=4, cout=5)))
    assert reasons(channels, "x") == {"model input"}
    assert reasons(channels, "end") == {"model output"}
    assert reasons(channels, "a") == {""}
    assert int(channels.prunable.sum()) == 4 + 5


def test_an_output_in_the_middle_stays_too() -> None:
    graph = graph_of({"x": (4, 4, 3)}, stem(), conv("end", "a", cin=4, cout=2), outputs=["end", "a"])
    assert reasons(name_channels(graph), "a") == {"model output"}


def test_depthwise_channels_repeat_as_often_as_the_multiplier() -> None:
    channels = name_channels(graph_with(depthwise("dw", "a", cin=4, multiplier=2)))
    assert letters(channels, "a") == "defg"
    assert letters(channels, "dw") == "ddeeffgg"
    assert channels.axes["dw"]["bias"][0].tolist() == channels.tensors["dw"].tolist()
    assert channels.axes["dw"]["kernel"][3] is None


def test_separable_channels_reach_the_pointwise_kernel_repeated() -> None:
    weights = {"depthwise_kernel": (3, 3, 4, 2), "pointwise_kernel": (1, 1, 8, 5), "bias": (5,)}
    made = Made("sep", "SeparableConv2D", ["a"], (*IMAGE, 5), {}, weights)
    channels = name_channels(graph_with(made))
    a = channels.tensors["a"]
    assert channels.axes["sep"]["depthwise_kernel"][2].tolist() == a.tolist()
    assert channels.axes["sep"]["pointwise_kernel"][2].tolist() == np.repeat(a, 2).tolist()
    assert letters(channels, "sep") == "hijkl"


def test_concatenation_lines_channels_up() -> None:
    cat = Made("cat", "Concatenate", ["b", "a", "b"], (*IMAGE, 8), {"axis": 3})
    channels = name_channels(graph_with(conv("b", "a", cin=4, cout=2), cat))
    assert letters(channels, "a") == "defg"
    assert letters(channels, "b") == "hi"
    assert letters(channels, "cat") == "hi" + "defg" + "hi"


def test_concatenation_along_another_axis_ties_channels() -> None:
    cat = Made("cat", "Concatenate", ["a", "b"], (8, 4, 4), {"axis": 1})
    channels = name_channels(graph_with(conv("b", "x", cin=3, cout=4), cat))
    assert letters(channels, "a") == letters(channels, "b") == letters(channels, "cat") == "defg"


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"])
def test_a_merge_ties_its_inputs(kind: str) -> None:
    merge = Made("m", kind, ["a", "b", "c"], (*IMAGE, 4))
    more = (conv("b", "a", cin=4, cout=4), conv("c", "x", cin=3, cout=4))
    channels = name_channels(graph_with(*more, merge))
    assert {letters(channels, t) for t in "abcm"} == {"defg"}
    assert channels.family_names[channels.family[channels.tensors["m"][0]]] == "a"


def test_a_residual_sum_with_the_input_stays() -> None:
    graph = graph_of(
        {"x": (4, 4, 4)},
        conv("a", "x", cin=4, cout=4),
        Made("sum", "Add", ["a", "x"], (*IMAGE, 4)),
        conv("end", "sum", cin=4, cout=2),
    )
    assert reasons(name_channels(graph), "a") == {"model input"}


def test_a_squeeze_and_excite_gate_is_tied_to_what_it_scales() -> None:
    gate = conv("gate", "pool", cin=4, cout=4, size=1)
    pool = Made("pool", "GlobalAveragePooling2D", ["a"], (1, 1, 4), {"keepdims": True})
    channels = name_channels(graph_with(pool, gate, Made("m", "Multiply", ["a", "gate"], (*IMAGE, 4))))
    assert letters(channels, "pool") == letters(channels, "gate") == letters(channels, "m") == "defg"
    assert reasons(channels, "m") == {""}


def test_what_is_broadcast_over_channels_stays_and_the_rest_may_go() -> None:
    mask = conv("mask", "a", cin=4, cout=1)
    channels = name_channels(graph_with(mask, Made("m", "Multiply", ["a", "mask"], (*IMAGE, 4))))
    assert reasons(channels, "mask") == {"broadcast over channels (layer 'm')"}
    assert reasons(channels, "m") == {""}


def test_a_merge_of_different_ranks_ties_what_meets() -> None:
    graph = graph_of(
        {"x": (4, 4, 3), "v": (4,)},
        stem(),
        dense("b", "v", cin=4, cout=4),
        Made("m", "Multiply", ["a", "b"], (*IMAGE, 4)),
        conv("end", "m", cin=4, cout=2),
    )
    channels = name_channels(graph)
    assert letters(channels, "a") == letters(channels, "b") == letters(channels, "m")
    assert reasons(channels, "a") == {""}


def test_flatten_repeats_the_channels_once_per_position() -> None:
    flat = Made("flat", "Flatten", ["a"], (4 * 4 * 3,))
    graph = graph_of({"x": (4, 4, 3)}, stem(3), flat, dense("end", "flat", cin=48, cout=2))
    channels = name_channels(graph)
    assert letters(channels, "flat") == "def" * 16
    assert channels.axes["end"]["kernel"][0].tolist() == np.tile(channels.tensors["a"], 16).tolist()


def reshaped(shape: tuple[int, ...], target: tuple[int, ...]) -> ChannelMap:
    graph = graph_of(
        {"x": (2,)},
        dense("a", "x", cin=2, cout=int(np.prod(shape))),
        Made("r", "Reshape", ["a"], shape, {"target_shape": shape}),
        Made("s", "Reshape", ["r"], target, {"target_shape": target}),
        dense("end", "s", cin=target[-1], cout=2),
    )
    return name_channels(graph)


def test_reshape_to_an_image_ties_each_channels_positions() -> None:
    channels = reshaped((2, 3), (6,))
    assert letters(channels, "r") == "cde"
    assert letters(channels, "a") == "cdecde"
    assert letters(channels, "s") == "cdecde"


def test_reshape_that_splits_channels_ties_the_parts() -> None:
    channels = reshaped((2, 4), (2, 2, 2))
    assert letters(channels, "a") == "cdcdcdcd"
    assert letters(channels, "r") == "cdcd"
    assert letters(channels, "s") == "cd"


def test_reshape_across_rows_ties_whatever_meets_in_a_column() -> None:
    # Rows 012 345 become 01 23 45: the columns hold {0, 2, 4} and {1, 3, 5}; and 0~3, 1~4, 2~5 from before.
    channels = reshaped((2, 3), (3, 2))
    assert letters(channels, "a") == "cccccc"
    assert int(channels.prunable.sum()) == 1


def test_permute_of_positions_passes_channels_on() -> None:
    permute = Made("p", "Permute", ["a"], (*IMAGE, 4), {"dims": (2, 1, 3)})
    assert letters(name_channels(graph_with(permute)), "p") == "defg"


def permuted(*calls: Made, last: str) -> ChannelMap:
    """a → its channels moved to axis 1 → calls → end."""
    moved = Made("p", "Permute", ["a"], (4, 4, 4), {"dims": (3, 1, 2)})
    return name_channels(graph_with(moved, *calls, end=last, cin=4))


def test_permute_moves_the_channels_to_another_axis() -> None:
    back = Made("q", "Permute", ["p"], (4, 4, 4), {"dims": (2, 3, 1)})
    channels = permuted(back, last="q")
    assert channels.inner["p"][0].tolist() == channels.tensors["a"].tolist()
    assert channels.inner["p"][1] is None
    assert reasons(channels, "p") == {"no channel"}
    assert letters(channels, "q") == letters(channels, "a")
    assert reasons(channels, "q") == {""}
    kept = channels.everything
    kept[channels.tensors["a"][1]] = False
    assert channels.resize("p", (4, 4, 4), kept=kept) == (3, 4, 4)


def test_channels_along_another_axis_stay_in_front_of_a_layer_that_does_not_follow_them() -> None:
    channels = permuted(last="p")
    assert reasons(channels, "a") == {"channels along axis 1, which Conv2D does not follow (layer 'end')"}


def test_a_dense_over_positions_leaves_channels_of_another_axis_alone() -> None:
    mixer = dense("mix", "p", cin=4, cout=5)
    back = Made("q", "Permute", ["mix"], (4, 5, 4), {"dims": (2, 3, 1)})
    graph = graph_with(
        Made("p", "Permute", ["a"], (4, 4, 4), {"dims": (3, 1, 2)}),
        Made("mix", "Dense", ["p"], (4, 4, 5), {}, mixer.weights),
        back,
        end="q",
        cin=4,
    )
    channels = name_channels(graph)
    assert letters(channels, "q") == letters(channels, "a")
    assert channels.inner["q"][1].tolist() == channels.tensors["mix"].tolist()


def test_a_channel_shuffle_ties_what_it_deals_out() -> None:
    """Four channels as 2 × 2, transposed, and flat again: column j of both rows goes together."""
    channels = name_channels(
        graph_with(
            Made("split", "Reshape", ["a"], (*IMAGE, 2, 2)),
            Made("swap", "Permute", ["split"], (*IMAGE, 2, 2), {"dims": (1, 2, 4, 3)}),
            Made("join", "Reshape", ["swap"], (*IMAGE, 4)),
            end="join",
            cin=4,
        )
    )
    assert letters(channels, "a") == "dede"
    assert letters(channels, "join") == "ddee"
    assert reasons(channels, "a") == {""}


def test_softmax_over_channels_stays_and_over_rows_passes_on() -> None:
    over_channels = name_channels(graph_with(Made("s", "Softmax", ["a"], (*IMAGE, 4), {"axis": -1})))
    assert reasons(over_channels, "a") == {"softmax mixes channels (layer 's')"}
    over_rows = name_channels(graph_with(Made("s", "Softmax", ["a"], (*IMAGE, 4), {"axis": 1})))
    assert letters(over_rows, "s") == "defg"
    assert over_rows.kept_layers == {}


def test_a_layer_without_a_rule_keeps_what_it_touches_and_the_rest_is_pruned() -> None:
    mystery = Made("m", "Mystery", ["b"], (*IMAGE, 5), {}, {"weight": (5, 5)})
    channels = name_channels(graph_with(conv("b", "a", cin=4, cout=5), mystery))
    expected = "edgeprune has no rule for Mystery layers"
    assert channels.kept_layers == {"m": expected}
    assert reasons(channels, "b") == reasons(channels, "m") == {f"{expected} (layer 'm')"}
    assert reasons(channels, "a") == {""}
    assert channels.axes["m"]["weight"] == (None, None)


def test_a_layer_that_is_called_twice_ties_both_its_inputs_and_its_outputs() -> None:
    graph = graph_of(
        {"x": (4, 4, 3)},
        stem(),
        conv("b", "x", cin=3, cout=4),
        Made("shared", "Conv2D", ["a"], (*IMAGE, 2), {}, {"kernel": (1, 1, 4, 2)}, "s1"),
        Made("shared", "Conv2D", ["b"], (*IMAGE, 2), {}, {"kernel": (1, 1, 4, 2)}, "s2"),
        Made("cat", "Concatenate", ["s1", "s2"], (*IMAGE, 4), {"axis": -1}),
        conv("end", "cat", cin=4, cout=2),
    )
    channels = name_channels(graph)
    assert letters(channels, "a") == letters(channels, "b") == "defg"
    assert letters(channels, "s1") == letters(channels, "s2") == "hi"
    assert letters(channels, "cat") == "hihi"


def test_shapes_count_what_is_kept() -> None:
    channels = name_channels(graph_with(depthwise("dw", "a", cin=4, multiplier=2)))
    kept = channels.everything
    kept[channels.tensors["a"][1]] = False
    sizes = {"x": 3, "a": 4, "dw": 8, "end": 2}
    shapes = {t: channels.resize(t, (*IMAGE, n), kept=kept) for t, n in sizes.items()}
    assert shapes == {"x": (4, 4, 3), "a": (4, 4, 3), "dw": (4, 4, 6), "end": (4, 4, 2)}
