import pytest

from edgeprune.device.op_costs import npu_cycles, npu_op_costs
from edgeprune.device.profile import load_profile
from edgeprune.graph.opshape import OpShape

PROFILE = load_profile("cortex-m55-ethos-u55-128")
NPU = PROFILE.npu


def conv(channels_in, channels_out, *, op="CONV_2D", size=16):
    inputs, output = (1, size, size, channels_in), (1, size, size, channels_out)
    filters = (1, 3, 3, channels_out) if op == "DEPTHWISE_CONV_2D" else (channels_out, 3, 3, channels_in)
    return OpShape(op=op, inputs=(inputs,), output=output, filter=filters)


def test_a_convolution_costs_its_multiplications_and_its_outputs():
    # 16 x 16 x 32 outputs of 9 x 32 multiplications; 58 units for each output; 128 units a cycle.
    assert npu_cycles(conv(32, 32), NPU) == pytest.approx(8192 * (9 * 32 + 58) / 128)


def test_channels_cost_as_many_as_the_npu_multiplies_at_once():
    # Inputs by 16, as Vela reports it; outputs by 8.
    by_depth = [npu_cycles(conv(depth, 32), NPU) for depth in (16, 17, 31, 32)]
    assert by_depth[0] < by_depth[1] == pytest.approx(by_depth[2]) == pytest.approx(by_depth[3])
    multiplying = [npu_cycles(conv(32, width), NPU) - 256 * width * 58 / 128 for width in (24, 25, 32)]
    assert multiplying[0] < multiplying[1] == pytest.approx(multiplying[2])


def test_few_inputs_cost_as_much_as_eight():
    assert npu_cycles(conv(3, 16), NPU) == pytest.approx(npu_cycles(conv(8, 16), NPU))
    assert npu_cycles(conv(8, 16), NPU) < npu_cycles(conv(9, 16), NPU)


def test_a_depthwise_convolution_multiplies_one_channel_at_a_time():
    assert npu_cycles(conv(32, 32, op="DEPTHWISE_CONV_2D"), NPU) == pytest.approx(8192 * (9 * 8 + 58) / 128)


def test_a_dense_layer_costs_the_reading_of_its_weights():
    dense = OpShape(op="FULLY_CONNECTED", inputs=((1, 640),), output=(1, 128), filter=(128, 640))
    assert npu_cycles(dense, NPU) == 640 * 128 + 24 * 128  # one byte a cycle


def test_an_addition_costs_its_elements():
    add = OpShape(op="ADD", inputs=((1, 8, 8, 16),) * 2, output=(1, 8, 8, 16))
    assert npu_cycles(add, NPU) == 1024 * 1.5


def test_the_solver_sees_milliseconds_at_the_clock_of_the_npu():
    assert npu_op_costs(NPU)["latency"](conv(32, 32)) == pytest.approx(npu_cycles(conv(32, 32), NPU) / 500e3)
