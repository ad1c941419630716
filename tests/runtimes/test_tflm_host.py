from importlib.util import find_spec

import numpy as np
import pytest
from small_models import REAL_MODELS, dense_int8, real_model, unary

from edgeprune.errors import ModelError, OpError, ToolFailedError
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.tflm_host import AllocationRow, parse_allocations, run_tflm
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

needs_tflm = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")

REPORT = """
[RecordingMicroAllocator] Arena allocation total 55984 bytes
[RecordingMicroAllocator] Arena allocation head 49152 bytes
[RecordingMicroAllocator] Arena allocation tail 6832 bytes
[RecordingMicroAllocator] 'TfLiteEvalTensor data' used 912 bytes with alignment overhead (requested 912 bytes for 38 allocations)
[RecordingMicroAllocator] 'Persistent buffer data' used 3828 bytes with alignment overhead (requested 3788 bytes for 35 allocations)
"""  # noqa: E501


def samples_for(name, count=5):
    tensor = read_model(real_model(name), where=name).inputs[0]
    generator = np.random.default_rng(0)
    if tensor.dtype == "int8":
        return generator.integers(-128, 128, (count, *tensor.shape[1:])).astype(np.int8)
    return generator.normal(size=(count, *tensor.shape[1:])).astype(np.float32)


def test_the_allocators_report_is_read_row_by_row():
    allocation = parse_allocations(REPORT)
    assert (allocation.total_bytes, allocation.head_bytes, allocation.tail_bytes) == (55984, 49152, 6832)
    assert allocation.rows[1] == AllocationRow(
        name="Persistent buffer data", used_bytes=3828, requested_bytes=3788, count=35
    )


def test_a_report_of_another_form_is_refused():
    with pytest.raises(ToolFailedError, match="unknown form"):
        parse_allocations("Arena allocation total 5 bytes")


@needs_tflm
def test_a_dense_layer_gives_the_sums():
    run = run_tflm(dense_int8(), (np.array([[1.0, 2.0], [-3.0, 0.0]]),))
    assert run.outputs[0].raw.tolist() == [[15, 11, -3], [7, -9, 5]]
    allocation = run.allocation
    assert allocation.total_bytes == allocation.head_bytes + allocation.tail_bytes
    assert "NodeAndRegistration struct" in {row.name for row in allocation.rows}


@needs_tflm
def test_an_op_without_a_kernel_is_named():
    with pytest.raises(OpError, match="GELU"):
        run_tflm(unary("GELU"), (np.zeros((1, 4)),))


@needs_tflm
def test_a_custom_op_without_a_kernel_is_named():
    with pytest.raises(OpError, match="MyOp"):
        run_tflm(unary("MyOp"), (np.zeros((1, 4)),))


@needs_tflm
def test_a_kernel_that_refuses_is_named():
    with pytest.raises(OpError, match="FULLY_CONNECTED"):
        run_tflm(dense_int8(activation="FLOAT32", weights="INT8"), (np.zeros((1, 2), np.float32),))


@needs_tflm
def test_an_arena_that_is_too_small_is_an_error_that_says_so():
    with pytest.raises(ModelError, match="missing"):
        run_tflm(real_model("resnet8"), (samples_for("resnet8", 1),), arena_bytes=20_000)


@needs_tflm
def test_the_arena_of_resnet8_is_what_was_measured_before():
    run = run_tflm(real_model("resnet8"), (samples_for("resnet8", 1),))
    assert run.allocation.total_bytes == 55_984


@needs_tflm
@pytest.mark.parametrize("name", REAL_MODELS)
def test_stripped_real_models_give_the_same_bits_in_the_same_arena(name):
    data, samples = real_model(name), samples_for(name)
    before, after = run_tflm(data, (samples,)), run_tflm(strip(data), (samples,))
    assert compare_runs(before, after).is_exact
    assert before.allocation == after.allocation
