import csv
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune.device.arena import (
    ArenaInputs,
    HostArena,
    planning_bytes,
    predict_arena,
    read_arena_inputs,
    tail_bytes,
)
from edgeprune.device.kernels.scratch import scratch_bytes
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.arena import Buffer
from edgeprune.tflite.read import read_model

SHARED = Path(__file__).parents[2] / ".." / "shared"
MEASURED = SHARED / "data" / "tflm_cmsis_nn_model_totals.csv"
MODELS = (
    "mlperf_tiny/anomaly_detection/ad01_int8.tflite",
    "mlperf_tiny/image_classification/pretrainedResnet_quant.tflite",
    "mlperf_tiny/keyword_spotting/kws_ref_model.tflite",
    "tflm/hello_world_int8.tflite",
    "tflm/micro_speech_quantized.tflite",
    "tflm/person_detect.tflite",
    "tflm/trained_lstm_int8.tflite",
)


def conv(kernel, depth, **more):
    return OpShape(
        op="CONV_2D",
        inputs=((1, 8, 8, depth),),
        output=(1, 8, 8, 4),
        filter=(4, kernel, kernel, depth),
        **more,
    )


def measured_arenas():
    lines = csv.DictReader(MEASURED.read_text(encoding="utf-8").splitlines())
    return {line["model"]: int(line["arena_bytes"]) for line in lines if line["core"] == "cortex-m7"}


@pytest.mark.parametrize("name", MODELS)
def test_the_arena_on_a_cortex_m7_is_never_too_small_and_at_most_one_percent_too_large(name):
    path = SHARED / "models" / name
    if not path.exists() or not MEASURED.exists():
        pytest.skip("../shared is not there")
    inputs = read_arena_inputs(read_model(path.read_bytes(), where=name))
    arena = predict_arena(inputs, "cmsis-nn dsp").value
    assert measured_arenas()[name] <= arena <= 1.01 * measured_arenas()[name]


def test_im2col_keeps_two_columns_of_int16():
    # 3 x 3 x 3 = 27 weights, rounded up to 28, twice, two bytes each.
    assert scratch_bytes(conv(3, 3), "cmsis-nn dsp") == (112,)
    # With vectors: four columns of int8, each rounded up to 16 lanes.
    assert scratch_bytes(conv(3, 3), "cmsis-nn mve") == (128,)


def test_a_1x1_convolution_needs_no_scratch_and_reference_kernels_need_none_at_all():
    assert scratch_bytes(conv(1, 8), "cmsis-nn dsp") == ()
    assert scratch_bytes(conv(3, 3), "reference") == ()


def test_a_float_convolution_needs_no_scratch():
    assert scratch_bytes(conv(3, 3, dtype="float32"), "cmsis-nn dsp") == ()


def test_scratch_comes_on_top_where_the_peak_is():
    op = conv(3, 3)
    buffers = (
        Buffer(size_bytes=192, first_op=0, last_op=1),
        Buffer(size_bytes=256, first_op=1, last_op=1),
    )
    inputs = ArenaInputs(ops=(op,), buffers=buffers, tensor_count=4)
    plain = predict_arena(inputs, "reference").value
    # 112 bytes of scratch, and one 4-byte handle that is rounded up to 16.
    assert predict_arena(inputs, "cmsis-nn dsp").value == plain + 112 + 16


def test_every_output_channel_costs_eight_bytes_of_the_tail():
    narrow = ArenaInputs(ops=(conv(3, 3),), buffers=(), tensor_count=4)
    wide = OpShape(op="CONV_2D", inputs=((1, 8, 8, 3),), output=(1, 8, 8, 36), filter=(36, 3, 3, 3))
    widened = ArenaInputs(ops=(wide,), buffers=(), tensor_count=4)
    assert tail_bytes(widened, "cmsis-nn dsp") - tail_bytes(narrow, "cmsis-nn dsp") == 8 * 32


def test_a_host_head_larger_than_our_plan_is_kept():
    inputs = ArenaInputs(ops=(), buffers=(Buffer(size_bytes=100, first_op=0, last_op=1),), tensor_count=1)
    alone = predict_arena(inputs, "cmsis-nn dsp")
    figure = predict_arena(inputs, "cmsis-nn dsp", host=HostArena(head_bytes=5000, tail_bytes=400))
    assert figure.value - alone.value == 5000 - 112
    assert (alone.source, figure.source) == ("estimated", "simulated")


def test_planning_takes_more_than_an_inference_where_activations_are_small():
    inputs = ArenaInputs(
        ops=(conv(1, 8),), buffers=(Buffer(size_bytes=16, first_op=0, last_op=0),), tensor_count=4
    )
    # 12 requests for scratch of 12 bytes, 4 tensors of 24 and a buffer of 40, each rounded up to 16.
    assert planning_bytes(inputs, "reference") == tail_bytes(inputs, "reference") + 144 + 96 + 48
    assert planning_bytes(inputs, "reference") > predict_arena(inputs, "reference").value


def test_an_input_or_output_with_a_scale_takes_20_bytes_more_than_one_without():
    plain = ArenaInputs(ops=(), buffers=(), tensor_count=2, quantized_io=0)
    scaled = ArenaInputs(ops=(), buffers=(), tensor_count=2, quantized_io=2)
    assert tail_bytes(scaled, "reference") - tail_bytes(plain, "reference") == 2 * (12 + 8)


def test_a_scratch_buffer_is_planned_like_a_tensor():
    inputs = ArenaInputs(
        ops=(conv(3, 3),), buffers=(Buffer(size_bytes=16, first_op=0, last_op=0),), tensor_count=4
    )
    # 13 requests of 12 bytes, 5 lifetimes of 24 and 2 buffers of 40, each rounded up to 16.
    assert planning_bytes(inputs, "cmsis-nn dsp") == tail_bytes(inputs, "cmsis-nn dsp") + 160 + 128 + 80


def test_a_dense_layer_on_mve_keeps_sums_of_its_weights_unless_they_are_decoded():
    dense = OpShape(op="FULLY_CONNECTED", inputs=((1, 8),), output=(1, 10), filter=(10, 8))

    def tail(op, kernels):
        inputs = ArenaInputs(ops=(op,), buffers=(), tensor_count=4, per_channel=(False,))
        return tail_bytes(inputs, kernels)

    # A sum of four bytes for each of ten outputs, rounded up to 16.
    assert tail(dense, "cmsis-nn mve") - tail(dense, "cmsis-nn dsp") == 48
    decoded = replace(dense, weights_decoded=True)
    # They are made anew each time in a scratch buffer, whose handle takes 16.
    assert tail(decoded, "cmsis-nn mve") - tail(decoded, "cmsis-nn dsp") == 16
    assert scratch_bytes(decoded, "cmsis-nn mve") == (40,)


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM", "SHAPE", "TRANSPOSE", "EXPAND_DIMS"])
def test_ops_that_keep_nothing_take_no_allowance_for_what_is_unknown(name):
    inputs = ArenaInputs(
        ops=(OpShape(op=name, inputs=((1, 4),), output=(1, 4)),),
        buffers=(),
        tensor_count=2,
        input_count=1,
        output_count=1,
        variable_bytes=(),
        per_channel=(False,),
        quantized_io=0,
        nested_ops=(),
    )
    unknown = replace(inputs, ops=(replace(inputs.ops[0], op="ZEROS_LIKE"),))
    spared = tail_bytes(unknown, "cmsis-nn dsp") - tail_bytes(inputs, "cmsis-nn dsp")
    # 32 bytes of options, and for most 96 of data.
    assert spared >= (16 if name == "EXPAND_DIMS" else 96)
