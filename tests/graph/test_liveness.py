import pytest
from graph.hand_made import Made, conv, graph_of

from edgeprune.graph.liveness import live_ranges, peak_activation_bytes


def test_the_peak_is_the_largest_sum_of_tensors_alive_at_once() -> None:
    # Alive: x+a = 32+64, a+b = 64+128, then b+c = 128+16.
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("a", "x", cin=2, cout=4),
        conv("b", "a", cin=4, cout=8),
        conv("c", "b", cin=8, cout=1),
    )
    assert peak_activation_bytes(graph, dict(graph.shapes)) == 64 + 128


def test_a_tensor_that_is_read_later_stays_alive() -> None:
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("a", "x", cin=2, cout=4),
        conv("b", "a", cin=4, cout=8),
        conv("c", "b", cin=8, cout=4),
        Made("sum", "Add", ["a", "c"], (4, 4, 4)),
    )
    assert peak_activation_bytes(graph, dict(graph.shapes)) == 64 + 128 + 64


@pytest.mark.parametrize(("kind", "peak"), [("ReLU", 32 + 64), ("Softmax", 64 + 64)])
def test_layers_that_are_fused_take_no_room_of_their_own(kind: str, peak: int) -> None:
    graph = graph_of(
        {"x": (4, 4, 2)}, conv("a", "x", cin=2, cout=4), Made("r", kind, ["a"], (4, 4, 4), {"axis": -1})
    )
    assert peak_activation_bytes(graph, dict(graph.shapes)) == peak


def test_an_open_dimension_counts_as_one() -> None:
    graph = graph_of({"x": (None, 2)}, Made("c", "Conv1D", ["x"], (None, 4), {}, {"kernel": (3, 2, 4)}))
    assert peak_activation_bytes(graph, dict(graph.shapes)) == 2 + 4


def test_a_tensor_is_alive_from_the_node_that_makes_it_to_the_last_that_reads_it() -> None:
    graph = graph_of(
        {"x": (4, 4, 2), "unread": (4, 4, 2)},
        conv("a", "x", cin=2, cout=4),
        conv("b", "a", cin=4, cout=4),
        conv("loose", "b", cin=4, cout=1),
        Made("r", "ReLU", ["b"], (4, 4, 4)),
        Made("sum", "Add", ["a", "r"], (4, 4, 4)),
        outputs=["r", "sum"],
    )
    assert live_ranges(graph) == {
        "x": range(1),
        "unread": range(1),
        "a": range(5),
        "b": range(1, 3),  # the ReLU writes over it
        "loose": range(2, 3),
        "r": range(3, 5),
        "sum": range(4, 5),
    }


def test_a_graph_without_layers_needs_nothing() -> None:
    assert peak_activation_bytes(graph_of({"x": (4, 4, 2)}, outputs=["x"]), {"x": (4, 4, 2)}) == 0
