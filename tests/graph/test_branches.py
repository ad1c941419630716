from graph.hand_made import Made, conv, graph_of

from edgeprune.graph.branches import bypass, find_branches, unfolded_name
from edgeprune.graph.layergraph import LayerGraph

IMAGE = (4, 4)


def norm(name: str, source: str, width: int = 4) -> Made:
    weights = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), (width,))
    return Made(name, "BatchNormalization", [source], (*IMAGE, width), {}, weights)


def relu(name: str, source: str, width: int = 4) -> Made:
    return Made(name, "ReLU", [source], (*IMAGE, width))


def residual(*, shortcut: bool = False) -> LayerGraph:
    """x(3) → stem → [b1 → b1n → r1 → b2 → b2n] + (stem or p) → out → end."""
    skip = [conv("p", "stem", cin=4, cout=4)] if shortcut else []
    return graph_of(
        {"x": (*IMAGE, 3)},
        conv("stem", "x", cin=3, cout=4),
        *skip,
        conv("b1", "stem", cin=4, cout=6),
        norm("b1n", "b1", 6),
        relu("r1", "b1n", 6),
        conv("b2", "r1", cin=6, cout=4),
        norm("b2n", "b2"),
        Made("add", "Add", ["p" if shortcut else "stem", "b2n"], (*IMAGE, 4)),
        relu("out", "add"),
        conv("end", "out", cin=4, cout=2),
    )


def test_the_branch_of_a_residual_block_goes_with_all_that_only_it_reads() -> None:
    (branch,) = find_branches(residual())
    assert branch.name == "add without b2"
    assert branch.layers == ("b1", "b1n", "b2", "b2n")
    smaller = bypass(residual(), [branch])
    assert [node.layer for node in smaller.nodes] == ["stem", "out", "end"]
    assert smaller.nodes[1].inputs == ("stem",)
    assert set(smaller.shapes) == {"x", "stem", "out", "end"}
    assert set(smaller.layers) == {"stem", "out", "end"}


def test_of_a_projected_shortcut_either_side_may_go() -> None:
    names = {branch.name: branch.layers for branch in find_branches(residual(shortcut=True))}
    assert names["add without b2"] == ("b1", "b1n", "b2", "b2n")
    assert names["add without p"] == ("p",)
    assert names["p"] == ("p",)  # skipped, it leaves stem + branch


def test_a_layer_of_its_input_s_shape_goes_with_its_normalisation_and_activation() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("a", "x", cin=3, cout=4),
        conv("b", "a", cin=4, cout=4),
        norm("n", "b"),
        relu("r", "n"),
        conv("end", "r", cin=4, cout=2),
    )
    (branch,) = find_branches(graph)
    assert (branch.name, branch.layers) == ("b", ("b", "n"))
    assert [node.layer for node in bypass(graph, [branch]).nodes] == ["a", "end"]
    assert bypass(graph, [branch]).nodes[1].inputs == ("a",)


def depthwise(name: str, source: str, *, cin: int = 4, multiplier: int = 1) -> Made:
    kernel = {"kernel": (3, 3, cin, multiplier)}
    return Made(name, "DepthwiseConv2D", [source], (*IMAGE, cin * multiplier), {"strides": (1, 1)}, kernel)


def test_a_depthwise_layer_and_the_pointwise_one_behind_it_go_together() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("a", "x", cin=3, cout=4),
        depthwise("d", "a"),
        norm("n", "d"),
        conv("p", "n", cin=4, cout=4),
        relu("r", "p"),
        conv("end", "r", cin=4, cout=2),
    )
    (branch,) = find_branches(graph)
    assert (branch.name, branch.layers) == ("d to p", ("d", "n", "p"))
    assert [node.layer for node in bypass(graph, [branch]).nodes] == ["a", "end"]


def test_a_depthwise_layer_goes_alone_where_the_one_behind_it_changes_the_shape() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("a", "x", cin=3, cout=4),
        depthwise("d", "a"),
        conv("end", "d", cin=4, cout=2),
    )
    (branch,) = find_branches(graph)
    assert branch.layers == ("d",)


def test_a_depthwise_layer_that_widens_goes_with_the_one_that_narrows_again() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("a", "x", cin=3, cout=4),
        depthwise("d", "a", multiplier=2),
        conv("p", "d", cin=8, cout=4),
        conv("end", "p", cin=4, cout=2),
    )
    (branch,) = find_branches(graph)
    assert branch.layers == ("d", "p")


def test_a_layer_whose_normalisation_others_read_goes_alone() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("a", "x", cin=3, cout=4),
        conv("b", "a", cin=4, cout=4),
        norm("n", "b"),
        Made("cat", "Concatenate", ["n", "b"], (*IMAGE, 8), {"axis": -1}),
        conv("end", "cat", cin=8, cout=2),
    )
    (branch,) = find_branches(graph)
    assert branch.layers == ("b",)
    assert bypass(graph, [branch]).nodes[1].inputs == ("a",)


def test_layers_that_change_the_shape_stay() -> None:
    graph = graph_of({"x": (*IMAGE, 3)}, conv("a", "x", cin=3, cout=4), conv("end", "a", cin=4, cout=2))
    assert find_branches(graph) == ()


def test_a_branch_inside_another_may_go_with_it() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 3)},
        conv("stem", "x", cin=3, cout=4),
        conv("b1", "stem", cin=4, cout=4),
        conv("b2", "b1", cin=4, cout=4),
        Made("add", "Add", ["stem", "b2"], (*IMAGE, 4)),
        conv("end", "add", cin=4, cout=2),
    )
    branches = {branch.name: branch for branch in find_branches(graph)}
    assert set(branches) == {"b1", "b2", "add without b2"}
    both = bypass(graph, [branches["b1"], branches["b2"]])
    assert [node.inputs for node in both.nodes] == [("x",), ("stem", "stem"), ("add",)]
    assert [n.layer for n in bypass(graph, list(branches.values())).nodes] == ["stem", "end"]


def test_a_branch_that_holds_the_only_reader_of_an_input_stays() -> None:
    graph = graph_of(
        {"x": (*IMAGE, 4), "y": (*IMAGE, 4)},
        conv("a", "y", cin=4, cout=4),
        Made("add", "Add", ["x", "a"], (*IMAGE, 4)),
        conv("end", "add", cin=4, cout=2),
    )
    assert [branch.name for branch in find_branches(graph)] == ["a"]


def test_a_layer_of_a_nested_model_has_a_name_that_keras_allows() -> None:
    assert unfolded_name("encoder/block/conv") == "encoder_block_conv"
