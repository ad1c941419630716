import numpy as np
import pytest
from small_models import dense_int8, model, real_model, tensor, unary
from tflite_mutations import convolution

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, unpack


def with_scale(value, *, of, place=0, data=None):
    packed = unpack(data or dense_int8(), where="dense")
    quantization = packed.subgraphs[0].tensors[of].quantization
    quantization.scale = quantization.scale.copy()
    quantization.scale[place] = value
    return pack(packed)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 0.0])
def test_an_activation_has_a_real_scale_above_0(value):
    with pytest.raises(ModelError, match=r"tensor 0 'input': has the scale (nan|inf|-inf|-1|0) "):
        read_model(with_scale(value, of=0), where="dense")


@pytest.mark.parametrize(("value", "was_0"), [(1e-40, True), (np.inf, True), (np.nan, False), (-1.0, False)])
def test_only_a_scale_that_converters_give_zeros_is_said_to_be_of_zeros(value, was_0):
    tensors = [tensor((1, 4), "INT16", scale=scale) for scale in (1.0, value)]
    data = model(tensors, [("RELU", [0], [1], None)], inputs=[0], outputs=[1])
    with pytest.raises(ModelError) as error:
        read_model(data, where="made")
    assert ("was 0 on all representative samples" in error.value.fix) == was_0


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e19])
def test_so_has_each_channel(value):
    with pytest.raises(ModelError, match="tensor 1 'weights': has the scale 2 of 4"):
        read_model(with_scale(value, of=1, place=2, data=convolution()), where="convolution")


def test_weights_of_zeros_may_have_a_scale_of_0():
    read_model(with_scale(0.0, of=1), where="dense")


@pytest.mark.parametrize("value", [-129, 128, 2**31, -(2**63)])
def test_a_zero_point_lies_within_its_type(value):
    packed = unpack(dense_int8(), where="dense")
    packed.subgraphs[0].tensors[3].quantization.zeroPoint = np.array([value], np.int64)
    with pytest.raises(ModelError, match=f"tensor 3 'output': has the zero point {value} "):
        read_model(pack(packed), where="dense")


@pytest.mark.parametrize(("scale", "fits"), [(2.0**-29, True), (2.0**-30, False), (1e-19, False)])
def test_a_factor_that_kernels_cannot_shift_by_is_refused(scale, fits):
    data = with_scale(scale, of=3)
    if fits:
        read_model(data, where="dense")
    else:
        with pytest.raises(ModelError, match="operator 0 FULLY_CONNECTED: multiplies by"):
            read_model(data, where="dense")


def test_an_op_that_computes_with_integers_needs_to_know_what_they_stand_for():
    packed = unpack(unary("LOGISTIC"), where="unary")
    packed.subgraphs[0].tensors[0].quantization = None
    with pytest.raises(ModelError, match="computes with tensor 0 'input', int8 with 0 scales"):
        read_model(pack(packed), where="unary")


@pytest.mark.parametrize("state", [18, 19])
def test_so_it_does_of_the_state_that_it_keeps(state):
    packed = unpack(real_model("lstm"), where="lstm")
    subgraph = packed.subgraphs[0]
    (at,) = [op.inputs[state] for op in subgraph.operators if len(op.inputs) == 24]
    subgraph.tensors[at].quantization = None
    with pytest.raises(ModelError, match=f"UNIDIRECTIONAL_SEQUENCE_LSTM: computes with tensor {at} "):
        read_model(pack(packed), where="lstm")


def test_one_that_only_moves_them_does_not():
    packed = unpack(unary("RESHAPE"), where="unary")
    packed.subgraphs[0].tensors[0].quantization = None
    read_model(pack(packed), where="unary")


def test_weights_have_one_scale_or_one_for_each_output_channel():
    weights = np.zeros((3, 2), np.int8)
    tensors = [
        tensor((1, 2), scale=1.0),
        tensor((3, 2), data=weights, scale=[1.0, 2.0], name="weights"),
        tensor((1, 3), scale=1.0),
    ]
    data = model(tensors, [("FULLY_CONNECTED", (0, 1), (2,), None)], inputs=[0], outputs=[2])
    with pytest.raises(ModelError, match="has 2 scales for 3 output channels in tensor 1 'weights'"):
        read_model(data, where="dense")


def rescaling(name, ends, scales, **values):
    """One op on int8 with these scales, the output's last."""
    options = getattr(load_schema(), f"{name.title().replace('_', '')}OptionsT")()
    vars(options).update(values)
    tensors = [tensor((1, 4), scale=scale) for scale in scales]
    inputs = list(range(ends))
    return model(tensors, [(name, inputs, (ends,), options)], inputs=inputs, outputs=[ends])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (rescaling("ADD", 2, (1.0, 0.5, 2.0**-19)), "multiplies by 1 "),
        (rescaling("LEAKY_RELU", 1, (1.0, 1.0), alpha=1e30), r"multiplies by 1e\+30 "),
        (rescaling("SOFTMAX", 1, (1.0, 1.0), beta=float("nan")), "has the beta nan"),
    ],
)
def test_so_is_one_that_comes_of_an_option_or_of_both_inputs(data, says):
    with pytest.raises(ModelError, match=says):
        read_model(data, where="a file")


def test_a_sum_may_be_of_just_above_that_scale():
    read_model(rescaling("ADD", 2, (1.0, 0.5, 2.0**-18)), where="a sum")
