import pytest
from small_models import REAL_MODELS, dense_int8, model, real_model, tensor
from tflite_mutations import branching

from edgeprune.errors import ModelError
from edgeprune.tflite.order import require_order
from edgeprune.tflite.read import read_model


def chain(*ops):
    tensors = [tensor((1, 4), scale=1.0) for _ in range(3)]
    return read_model(model(tensors, ops, inputs=[0], outputs=[2]), where="chain")


@pytest.mark.parametrize("data", [dense_int8(), branching()])
def test_ops_that_read_what_is_there_pass(data):
    require_order(read_model(data, where="file"))


@pytest.mark.parametrize("name", REAL_MODELS)
def test_real_models_pass(name):
    require_order(read_model(real_model(name), where=name))


def test_an_op_that_reads_what_a_later_one_makes_is_refused():
    with pytest.raises(ModelError, match="reads tensor 1 before any op makes it"):
        require_order(chain(("RELU", (1,), (2,), None), ("RELU", (0,), (1,), None)))


def test_a_circle_is_refused():
    with pytest.raises(ModelError, match="operator 0 RELU"):
        require_order(chain(("RELU", (2,), (1,), None), ("RELU", (1,), (2,), None)))


def test_a_custom_op_may_be_given_memory_to_work_in():
    require_order(chain(("ethos-u", (0, 1), (2,), None)))
