from pathlib import Path

import numpy as np
import pytest
from small_models import dense_int8, model, real_model, tensor, unary

from edgeprune.errors import ModelError
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import is_int8_only, kinds_used, op_shapes, unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import enum_names, load_schema

# Every Add method of MicroMutableOpResolver in tensorflow/tflite-micro at 90b983c.
RESOLVER_METHODS = (Path(__file__).parent / "tflm_resolver_methods.txt").read_text().split()


def findings(data, runtime):
    return unsupported_ops(read_model(data, where="made"), runtime=runtime)


def test_the_table_claims_every_method_of_the_resolver_and_no_other():
    claimed = [kind.tflm_method for kind in OPS.values() if kind.tflm_method]
    assert sorted(claimed) == sorted(RESOLVER_METHODS)


def test_every_builtin_in_the_table_is_in_the_schema():
    known = set(enum_names("BuiltinOperator").values())
    assert {name for name in OPS if not name.startswith("CUSTOM:")} <= known


def test_the_shape_of_a_dense_op():
    (shape,) = op_shapes(read_model(dense_int8(), where="dense"))
    assert shape == OpShape(
        op="FULLY_CONNECTED",
        name="output",
        inputs=((1, 2),),
        output=(1, 3),
        filter=(3, 2),
        has_bias=True,
        weights_per_tensor=True,
    )
    assert shape.macs == 6


def test_weights_that_another_op_unpacks_are_still_weights():
    tensors = [
        tensor((1, 2), scale=1.0),
        tensor((3,), "UINT8", data=np.arange(3, dtype=np.uint8)),
        tensor((3, 2), scale=1.0),
        tensor((1, 3), scale=1.0),
    ]
    ops = [("TFLM_DECODE", (1,), (2,), None), ("FULLY_CONNECTED", (0, 2), (3,), None)]
    _, dense = op_shapes(read_model(model(tensors, ops, inputs=[0], outputs=[3]), where="decoded"))
    assert (dense.inputs, dense.filter, dense.macs) == (((1, 2),), (3, 2), 6)


@pytest.mark.parametrize(
    ("before", "after", "flips"),
    [
        (("UINT8", 0.5, 128), ("INT8", 0.5, 0), True),
        (("INT8", 0.5, 0), ("UINT8", 0.5, 128), True),
        (("UINT8", 0.5, 128), ("INT8", 0.25, 0), False),
        (("UINT8", 0.5, 120), ("INT8", 0.5, 0), False),
        (("INT8", 0.5, 0), ("INT8", 0.5, 100), False),
    ],
)
def test_a_quantize_flips_the_sign_between_bytes_of_one_scale_128_apart(before, after, flips):
    ends = [
        tensor((1, 4), dtype, scale=scale, zero_point=zero_point)
        for dtype, scale, zero_point in (before, after)
    ]
    data = model(ends, [("QUANTIZE", (0,), (1,), None)], inputs=[0], outputs=[1])
    (op,) = op_shapes(read_model(data, where="made"))
    assert op.flips_sign is flips


def test_macs_of_a_depthwise_convolution_with_stride():
    options = load_schema().DepthwiseConv2DOptionsT()
    options.padding, options.strideH, options.strideW, options.depthMultiplier = 1, 2, 2, 1
    tensors = [
        tensor((1, 7, 7, 4), scale=1.0),
        tensor((1, 3, 3, 4), data=np.ones((1, 3, 3, 4), np.int8), scale=[1.0] * 4),
        tensor((1, 3, 3, 4), scale=1.0, name="out"),
    ]
    data = model(tensors, [("DEPTHWISE_CONV_2D", (0, 1, -1), (2,), options)], inputs=[0], outputs=[2])
    (shape,) = op_shapes(read_model(data, where="depthwise"))
    assert (shape.stride, shape.padding, shape.has_bias) == ((2, 2), "VALID", False)
    assert shape.macs == 3 * 3 * 4 * 3 * 3


def test_a_pool_without_options_is_refused():
    with pytest.raises(ModelError, match="AVERAGE_POOL_2D: has no options"):
        op_shapes(read_model(unary("AVERAGE_POOL_2D"), where="pool"))


def test_a_stride_of_zero_is_refused():
    options = load_schema().Pool2DOptionsT()
    options.strideH = options.strideW = 0
    with pytest.raises(ModelError, match="has the stride_h 0"):
        op_shapes(read_model(unary("AVERAGE_POOL_2D", options=options), where="pool"))


def test_weights_of_the_wrong_rank_are_refused():
    ends = [tensor((1, 4), scale=1.0) for _ in range(2)]
    tensors = [ends[0], tensor((4,), data=np.ones(4, np.int8), scale=1.0), ends[1]]
    data = model(tensors, [("FULLY_CONNECTED", (0, 1), (2,), None)], inputs=[0], outputs=[2])
    with pytest.raises(ModelError, match=r"weights of the shape \(4,\)"):
        op_shapes(read_model(data, where="dense"))


def test_an_lstm_counts_its_weights_once_for_each_step():
    shapes = op_shapes(read_model(real_model("lstm"), where="lstm"))
    # 28 steps of 28 values into 20 units: 4 gates of 20 x (28 + 20).
    assert shapes[0].filter == (80, 48)
    assert shapes[0].macs == 28 * 80 * 48


@pytest.mark.parametrize(("name", "macs"), [("resnet8", 12_501_632), ("kws", 2_656_768), ("ad01", 264_192)])
def test_macs_of_the_mlperf_tiny_models(name, macs):
    assert sum(shape.macs for shape in op_shapes(read_model(real_model(name), where=name))) == macs


@pytest.mark.parametrize("name", ["resnet8", "kws", "ad01", "lstm", "person_detect", "vww"])
@pytest.mark.parametrize("runtime", ["tflm", "litert"])
def test_models_that_run_have_no_findings(name, runtime):
    assert findings(real_model(name), runtime) == []


def test_an_op_without_a_kernel_is_named():
    (found,) = findings(unary("GELU"), "tflm")
    assert (found.op, found.index, found.reason) == ("GELU", 0, "TFLM has no kernel for it")


def test_a_type_the_kernel_does_not_take_is_named():
    (found,) = findings(unary("HARD_SWISH", dtype="INT16"), "tflm")
    assert (found.dtype, found.fix) == ("int16", "convert with the scheme int8")
    assert "takes float32, int8, not int16" in found.reason


def test_dynamic_range_weights_are_refused_for_tflm_with_the_fix():
    (found,) = findings(dense_int8(activation="FLOAT32", weights="INT8"), "tflm")
    assert "int8 weights with float32 activations" in found.reason
    assert "not dynamic_range" in found.fix


def test_flex_and_custom_ops_are_told_apart():
    assert "Flex" in findings(unary("FlexErf"), "tflm")[0].reason
    assert "custom op" in findings(unary("MyOp"), "litert")[0].reason


def test_a_version_newer_than_the_runtime_is_refused():
    assert findings(unary("RELU", version=3), "litert") == []
    (found,) = findings(unary("RELU", version=4), "litert")
    assert "versions 1 to 3" in found.reason


def test_int8_only_kernels_are_used_only_where_everything_is_int8():
    for activation, weights, answer in (("INT8", "INT8", True), ("FLOAT32", "FLOAT32", False)):
        used = kinds_used(read_model(dense_int8(activation=activation, weights=weights), where="dense"))
        assert is_int8_only(OPS["FULLY_CONNECTED"], used["FULLY_CONNECTED"]) is answer
    used = kinds_used(read_model(unary("RELU"), where="relu"))
    assert not is_int8_only(OPS["RELU"], used["RELU"])


def test_a_depthwise_convolution_whose_bias_is_an_empty_input_crashes_tflm_and_is_refused():
    options = load_schema().DepthwiseConv2DOptionsT()
    options.strideW = options.strideH = options.depthMultiplier = 1
    options.dilationWFactor = options.dilationHFactor = 1

    def refusals(*bias):
        tensors = [
            tensor((1, 4, 4, 2), scale=1.0),
            tensor((1, 1, 1, 2), data=np.ones((1, 1, 1, 2), np.int8), scale=[1.0, 1.0]),
            tensor((1, 4, 4, 2), scale=1.0),
        ]
        ops = [("DEPTHWISE_CONV_2D", (0, 1, *bias), (2,), options)]
        made = read_model(model(tensors, ops, inputs=[0], outputs=[2]), where="made")
        return [item.reason for item in unsupported_ops(made, runtime="tflm")]

    assert refusals() == []
    assert "crashes where an empty input stands for the bias" in refusals(-1)[0]
