import numpy as np
import pytest
from small_models import REAL_MODELS, dense_int8, real_model, unary

from edgeprune.errors import ModelError, OpError, ToolFailedError
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.litert_choice import LITERT_PACKAGES
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip


def samples_for(name, count=6):
    tensor = read_model(real_model(name), where=name).inputs[0]
    generator = np.random.default_rng(0)
    if tensor.dtype == "int8":
        return generator.integers(-128, 128, (count, *tensor.shape[1:])).astype(np.int8)
    return generator.normal(size=(count, *tensor.shape[1:])).astype(np.float32)


@pytest.mark.parametrize("kernels", ["default", "builtin", "reference"])
def test_a_dense_layer_gives_the_sums(kernels):
    run = run_litert(dense_int8(), (np.array([[1.0, 2.0], [-3.0, 0.0]]),), kernels=kernels)
    # [1*1+2*2+10, 3*1+4*2+0, -5*1+6*2-10] and [-3+10, -9, 15-10]
    assert run.outputs[0].raw.tolist() == [[15, 11, -3], [7, -9, 5]]
    assert run.outputs[0].values.tolist() == [[15.0, 11.0, -3.0], [7.0, -9.0, 5.0]]
    assert run.runtime.split()[0] in LITERT_PACKAGES
    assert run.seconds >= 0


def test_samples_come_back_in_order_from_several_processes():
    samples = np.array([[step, 0] for step in range(-40, 40)], np.int8)
    run = run_litert(dense_int8(), (samples,))
    assert run.outputs[0].raw[:, 0].tolist() == [step + 10 for step in range(-40, 40)]


def test_the_memory_of_one_inference_is_positive():
    run = run_litert(dense_int8(), (np.zeros((1, 2)),))
    assert run.peak_rss_delta_bytes is None or 0 < run.peak_rss_delta_bytes < 50_000_000


def test_a_missing_op_is_named():
    with pytest.raises(OpError, match="MyOp"):
        run_litert(unary("MyOp"), (np.zeros((1, 4)),))


def test_too_little_time_is_an_error_of_the_tool():
    with pytest.raises(ToolFailedError, match="did not finish within"):
        run_litert(dense_int8(), (np.zeros((1, 2)),), timeout_seconds=0.0)


@pytest.mark.parametrize("name", [name for name in REAL_MODELS if name != "person_detect"])
def test_stripped_real_models_give_the_same_bits(name):
    data, samples = real_model(name), samples_for(name)
    assert compare_runs(run_litert(data, (samples,)), run_litert(strip(data), (samples,))).is_exact


def test_a_model_whose_quantization_the_runtime_rejects_says_so():
    # person_detect was converted in 2019: its biases name an axis they do not have.
    with pytest.raises(ModelError, match="quantized_dimension"):
        run_litert(real_model("person_detect"), (samples_for("person_detect"),))


@pytest.mark.nightly
@pytest.mark.parametrize("keep_interface", [False, True])
@pytest.mark.parametrize("name", REAL_MODELS)
def test_stripped_real_models_give_the_same_bits_on_200_inputs_everywhere(name, keep_interface):
    data, samples = real_model(name), (samples_for(name, 200),)
    stripped = strip(data, keep_interface=keep_interface)
    assert compare_runs(run_tflm(data, samples), run_tflm(stripped, samples)).is_exact
    if name != "person_detect":
        for kernels in ("reference", "default"):
            before, after = (run_litert(file, samples, kernels=kernels) for file in (data, stripped))
            assert compare_runs(before, after).is_exact
