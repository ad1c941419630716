import numpy as np
import pytest
from small_models import dense_int8
from tflite_mutations import convolution

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack


def change(data, edit):
    packed = unpack(data, where="a file")
    edit(packed.subgraphs[0])
    return pack(packed)


def set_option(op, key, value):
    return lambda graph: setattr(graph.operators[op].builtinOptions, key, value)


def set_shape(index, *shape):
    return lambda graph: setattr(graph.tensors[index], "shape", np.array(shape, np.int32))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (set_option(0, "strideH", 0), "operator 0 CONV_2D: has the stride_h 0"),
        (set_option(0, "strideW", -1), "has the stride_w -1"),
        (set_option(0, "dilationHFactor", 0), "has the dilation_h_factor 0"),
        (set_option(1, "filterWidth", 0), "operator 1 AVERAGE_POOL_2D: has the filter_width 0"),
        (lambda graph: setattr(graph.operators[0], "builtinOptions", None), "has no options of its kind"),
        (
            lambda graph: vars(graph.operators[1]).update(
                builtinOptionsType=graph.operators[0].builtinOptionsType,
                builtinOptions=graph.operators[0].builtinOptions,
            ),
            r"operator 1 AVERAGE_POOL_2D: has no options of its kind \(filter_height is among them\)",
        ),
        (set_shape(0, 32), r"tensor 0 'image' of the shape \(32,\)"),
        (set_shape(3, 1, 4, 4_000_000, 4), "makes an image 4000000 wide of one 4 wide"),
        (set_shape(4, 1, 400_000_000, 2, 4), "makes an image 400000000 high of one 4 high"),
        (set_shape(4, 1, 2, 2, 3), r"AVERAGE_POOL_2D: makes \(1, 2, 2, 3\) of \(1, 4, 4, 4\)"),
        (set_shape(3, 1, 4, 4, 8), "does not fit what it is multiplied with"),
        (set_shape(3, 2, 4, 4, 4), "does not fit what it is multiplied with"),
        (set_shape(0, 1, 4, 4, 3), "does not fit what it is multiplied with"),
    ],
)
def test_what_a_convolution_or_a_pool_cannot_do_is_refused(edit, text):
    with pytest.raises(ModelError, match=text):
        read_model(change(convolution(), edit), where="convolution")


def test_a_dense_layer_makes_as_many_rows_as_it_reads():
    with pytest.raises(ModelError, match=r"makes \(5, 3\) of \(1, 2\) with weights of the shape \(3, 2\)"):
        read_model(change(dense_int8(), set_shape(3, 5, 3)), where="dense")


@pytest.mark.parametrize("shape", [(6, 1, 1), (6,)])
def test_weights_have_the_dimensions_that_kernels_read(shape):
    with pytest.raises(ModelError, match="weights of the shape"):
        read_model(change(dense_int8(), set_shape(1, *shape)), where="dense")


def test_a_bias_has_a_value_for_each_channel():
    def shorten(graph):
        graph.operators[0].inputs = np.array([0, 1, 4], np.int32)
        graph.tensors.append(graph.tensors[3].__class__())
        graph.tensors[4].shape, graph.tensors[4].name = np.array([2], np.int32), b"short"
        graph.tensors[4].type, graph.tensors[4].isVariable = graph.tensors[2].type, True

    with pytest.raises(ModelError, match=r"a bias of 2 values for 3 output channels \(tensor 4 'short'"):
        read_model(change(dense_int8(), shorten), where="dense")


def test_dimensions_that_are_open_are_not_judged():
    def leave_open(graph):
        for place in (0, 3):
            graph.tensors[place].shape = np.array([1, 1, 1, graph.tensors[place].shape[3]], np.int32)
            graph.tensors[place].shapeSignature = np.array([-1, -1, -1, 4 if place else 2], np.int32)
        graph.operators[0].builtinOptions.padding = 1

    read_model(change(convolution(), leave_open), where="convolution")
