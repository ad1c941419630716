"""Zeros found in files made by hand; `keras_bridge/test_zeros.py` follows those of real models."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.errors import InfeasibleError, ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.zeros import find_zeros, require_zeros


def holding(*constants):
    """A model that has these tensors beside an input and an output."""
    ends = [tensor((1, 4)), tensor((1, 4))]
    return read_model(
        model([*ends, *constants], [("RELU", (0,), (1,), None)], inputs=[0], outputs=[1]), where="x"
    )


def constant(values, **more):
    values = np.array(values, np.int8)
    return tensor(values.shape, data=values, **more)


def test_a_zero_is_a_value_at_the_zero_point_of_its_tensor_or_channel():
    values = [[0, 3, 5], [3, 0, 5]]
    plain = constant(values)
    moved = constant(values, scale=0.1, zero_point=3)
    each = constant(values, scale=[0.1, 0.1, 0.1])
    model_ = holding(plain, moved, each)
    assert find_zeros(model_.tensors[2]).tolist() == [[True, False, False], [False, True, False]]
    assert find_zeros(model_.tensors[3]).tolist() == [[False, True, False], [True, False, False]]

    each.quantization.zeroPoint = np.array([0, 3, 5], np.int64)
    each.quantization.quantizedDimension = 1
    by_column = holding(plain, moved, each).tensors[4]
    assert find_zeros(by_column).tolist() == [[True, True, True], [False, False, True]]


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_zero_points_along_an_axis_that_does_not_hold_them_are_refused(axis):
    odd = constant([[0, 3, 5], [3, 0, 5]], scale=[0.1, 0.1, 0.1])
    odd.quantization.zeroPoint = np.array([0, 3, 5], np.int64)
    odd.quantization.quantizedDimension = axis
    with pytest.raises(ModelError, match="3 zero points along axis"):
        require_zeros(holding(odd), {})


def test_one_zero_that_is_lost_is_named_with_its_tensor():
    made = np.array([[True, False], [False, True], [True, True]])
    kept = constant([[0, 1], [1, 0], [0, 0]], name="kept")
    lost = constant([[0, 1], [1, 0], [0, 9]], name="lost")
    (arrived,) = require_zeros(holding(kept), {"dense/kernel": made})
    assert (arrived.tensors, arrived.weights, arrived.masked, arrived.zeros) == (("kept",), 6, 4, 4)
    with pytest.raises(InfeasibleError, match="1 of 4 zeros of 'dense/kernel' did not arrive") as error:
        require_zeros(holding(lost), {"dense/kernel": made})
    assert error.value.where == "x, lost"


def test_of_constants_with_all_the_zeros_the_one_with_fewest_others_is_the_kernel():
    made = np.array([[True, False], [False, False], [True, True]])
    more = constant([[0, 0], [0, 1], [0, 0]], name="more")
    exact = constant([[0, 1], [1, 1], [0, 0]], name="exact")
    for order in ((more, exact), (exact, more)):
        (arrived,) = require_zeros(holding(*order), {"dense/kernel": made})
        assert arrived.tensors == ("exact",)


def test_a_kernel_is_found_whole_before_it_is_found_in_parts():
    made = np.array([[True, False], [False, True], [True, False], [False, True]])
    halves = constant([[0, 1], [1, 0]], name="half")
    whole = constant([[0, 1], [1, 0], [0, 1], [1, 0]], name="whole")
    assert require_zeros(holding(halves, whole), {"k": made})[0].tensors == ("whole",)
    assert require_zeros(holding(halves), {"k": made})[0].tensors == ("half", "half")


def test_a_kernel_may_be_divided_into_64_tensors_and_no_more():
    row = constant([[0, 1]], name="row")
    (arrived,) = require_zeros(holding(row), {"gates": np.array([[True, False]] * 64)})
    assert arrived.tensors == ("row",) * 64
    few = np.array([[True, False]] * 65)
    with pytest.raises(InfeasibleError, match="the file holds 1 zeros, and 65 were made"):
        require_zeros(holding(row), {"gates": few})


def test_a_kernel_that_cannot_be_told_apart_may_be_there_while_the_file_has_as_many_zeros():
    merged = constant([[0, 0, 1, 1, 1, 1, 1]], name="merged")
    (arrived,) = require_zeros(holding(merged), {"k": np.array([[True, False, True]])})
    assert (arrived.tensors, arrived.masked, arrived.zeros) == ((), 2, 0)
    with pytest.raises(InfeasibleError, match="the file holds 2 zeros, and 3 were made"):
        require_zeros(holding(merged), {"k": np.array([[True, True, True]])})


def test_kernels_without_zeros_are_not_looked_for():
    assert require_zeros(holding(), {"k": np.zeros((2, 3), bool)}) == ()


def test_a_tensor_in_tflites_sparse_encoding_holds_no_zeros_to_find():
    model_ = holding(constant([[0, 0, 1, 1, 1, 1, 1]], name="merged"))
    (graph,) = model_.subgraphs
    sparse = replace(graph.tensors[2], is_sparse=True)
    encoded = replace(model_, subgraphs=(replace(graph, tensors=(*graph.tensors[:2], sparse)),))
    with pytest.raises(InfeasibleError, match="the file holds 0 zeros, and 2 were made"):
        require_zeros(encoded, {"k": np.array([[True, False, True]])})
