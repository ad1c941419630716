import numpy as np
import pytest
from small_models import REAL_MODELS, dense_int8, model, real_model, tensor
from tflite_mutations import branching, convolution

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack


def chain(*ops, outputs=(2,), constant=None):
    tensors = [tensor((1, 4), scale=1.0, name=f"t{place}") for place in range(3)]
    if constant is not None:
        tensors[constant] = tensor((1, 4), data=np.zeros((1, 4), np.int8), scale=1.0, name=f"t{constant}")
    return read_model(model(tensors, ops, inputs=[0], outputs=list(outputs)), where="chain")


@pytest.mark.parametrize("data", [dense_int8(), branching(), convolution()])
def test_ops_that_read_what_is_there_pass(data):
    read_model(data, where="file")


@pytest.mark.parametrize("name", REAL_MODELS)
def test_real_models_pass(name):
    read_model(real_model(name), where=name)


def test_an_op_that_reads_what_a_later_one_makes_is_refused():
    with pytest.raises(ModelError, match="operator 0 RELU: reads tensor 1 't1' before any op makes it"):
        chain(("RELU", (1,), (2,), None), ("RELU", (0,), (1,), None))


def test_a_circle_is_refused():
    with pytest.raises(ModelError, match="operator 0 RELU"):
        chain(("RELU", (2,), (1,), None), ("RELU", (1,), (2,), None))


def test_a_custom_op_may_be_given_memory_to_work_in():
    chain(("ethos-u", (0, 1), (2,), None))


@pytest.mark.parametrize(
    ("ops", "constant", "text"),
    [
        ([("RELU", (0,), (0,), None)], None, "writes tensor 0 't0', an input of the model"),
        ([("RELU", (0,), (2,), None)], 2, "writes tensor 2 't2', a constant"),
        ([("RELU", (0,), (1,), None), ("RELU", (1,), (1,), None)], None, "one of its own inputs"),
        ([("RELU", (0,), (2,), None)] * 2, None, "operator 1 RELU: writes tensor 2 't2', which operator 0"),
    ],
)
def test_an_op_that_writes_what_is_not_its_own_is_refused(ops, constant, text):
    with pytest.raises(ModelError, match=text):
        chain(*ops, constant=constant)


def test_an_output_that_no_op_makes_is_refused():
    with pytest.raises(ModelError, match="output 1 is tensor 1 't1', which no op makes"):
        chain(("RELU", (0,), (2,), None), outputs=(2, 1))


def test_an_output_may_be_an_input_or_a_constant_that_nobody_multiplies_with():
    assert chain(outputs=(0, 1), constant=1).outputs[1].is_constant


def test_an_output_that_is_the_bias_of_an_op_is_refused():
    packed = unpack(dense_int8(), where="dense")
    packed.subgraphs[0].outputs = np.array([3, 2], np.int32)
    with pytest.raises(ModelError, match="output 1 is tensor 2 'bias', a constant"):
        read_model(pack(packed), where="dense")
