import pytest
from phone_models import mobilenet
from small_models import dense_int8, unary

from edgeprune.errors import ModelError, OpError
from edgeprune.runtimes.litert_choice import LITERT_PACKAGES
from edgeprune.runtimes.timing import explain_no_sparse_kernels, time_alternately, time_litert


def test_files_are_timed_in_turn_with_the_runtime_and_the_machine():
    first, second = time_alternately([mobilenet(), dense_int8()], runs=7)
    for timing in (first, second):
        assert (timing.runs, timing.threads) == (7, 1)
        assert 0 < timing.low_ms <= timing.median_ms <= timing.high_ms
        assert timing.runtime.split()[0] in LITERT_PACKAGES
        assert timing.machine


def test_one_file_is_timed_without_xnnpack():
    assert time_litert(dense_int8(), kernels="reference", runs=3).runs == 3


def test_little_time_leaves_a_few_runs():
    (timing,) = time_alternately([mobilenet()], runs=1000, budget_seconds=0.0)
    assert timing.runs == 5


def test_what_the_runtime_refuses_is_named():
    with pytest.raises(OpError, match="MyOp"):
        time_litert(unary("MyOp"))
    with pytest.raises(ModelError, match="file 2"):
        time_alternately([dense_int8(), b"no model"])


def test_x86_has_no_sparse_kernels_whatever_the_runtime():
    for runtime in ("tflite-runtime 2.14.0", "ai-edge-litert 2.0.0"):
        assert "off on x86" in explain_no_sparse_kernels(machine="x86_64", runtime=runtime)


def test_small_arm_cores_have_them_in_newer_runtimes_alone():
    cases = {
        ("tflite-runtime 2.14.0", "fp asimd aes crc32"): "half-precision arithmetic",
        ("ai-edge-litert 1.2.0", "fp asimd aes crc32"): "",
        ("tflite-runtime 2.14.0", "fp asimd fphp asimdhp"): "",
        ("tflite-runtime 2.14.0", ""): "",
    }
    for (runtime, features), reason in cases.items():
        found = explain_no_sparse_kernels(machine="aarch64", runtime=runtime, features=features)
        assert reason in found
        assert bool(found) == bool(reason)
