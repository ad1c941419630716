"""A verdict holds: what is called runnable was run, and every command gives the same one."""

import pytest
from shared_cases import case_file
from small_models import model, tensor, unary

from edgeprune.commands.check import check
from edgeprune.commands.compress import compress_file
from edgeprune.runtimes.litert_choice import explain_unusable

needs_runtime = pytest.mark.skipif(
    bool(explain_unusable("tflite-runtime")),
    reason="tflite-runtime, which phones' profiles name, is not here",
)


def divide_int8() -> bytes:
    tensors = [tensor((1, 4), scale=1.0) for _ in range(3)]
    return model(tensors, [("DIV", (0, 1), (2,), None)], inputs=[0, 1], outputs=[2])


@needs_runtime
def test_a_type_that_no_table_knows_is_found_out_by_running_the_file() -> None:
    result = check(divide_int8(), device="raspberry-pi-4")
    assert not result.fits
    assert "takes float32, int32, uint8, not int8" in result.checks[-1].figure.evidence


@needs_runtime
def test_holding_is_simulated_only_where_the_file_has_run(monkeypatch) -> None:
    file = unary("RELU", dtype="FLOAT32")
    ops = check(file, device="raspberry-pi-4").checks[-1].figure
    assert (ops.value, ops.source) == (0.0, "simulated")
    assert "run once in tflite-runtime" in ops.evidence
    monkeypatch.setattr("edgeprune.measuring.trial.explain_unusable", lambda _: "it is not installed")
    ops = check(unary("RELU6", dtype="FLOAT32"), device="raspberry-pi-4").checks[-1].figure
    assert (ops.value, ops.source) == (0.0, "estimated")


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("hybrid", "pixel-8"),
        ("hybrid", "cortex-m7"),
        ("strided_slice_runtime", "cortex-m7"),
        ("ondevice_training", "cortex-m7"),
        ("dense2d", "cortex-m7"),
    ],
)
def test_compress_and_check_give_one_verdict(name, device) -> None:
    file = case_file(name)
    checked, compressed = check(file, device=device), compress_file(file, device=device)
    assert checked.fits == compressed.fits == (name == "dense2d")
    assert checked.checks[-1].figure.evidence == compressed.checks[-1].figure.evidence


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strided_slice_runtime", "its end is computed by the model"),
        ("ondevice_training", "convert the signature 'infer' alone"),
        ("offset_buffers_float", "behind the flatbuffer"),
    ],
)
def test_tflm_refuses_with_reason_and_advice(name, words) -> None:
    result = check(case_file(name), device="cortex-m7")
    assert not result.fits
    assert any(words in reason for reason in result.unsupported)


@pytest.mark.parametrize(
    "name", ["convtranspose_dynamic", "convtranspose_static", "nested_if", "loop_no_input"]
)
def test_computed_shapes_scalars_and_loops_are_measured(name) -> None:
    result = check(case_file(name), device="cortex-m7")
    assert result.fits
    assert result.figures["arena_bytes"].source in ("simulated", "estimated")


def test_a_loop_costs_its_turns() -> None:
    one, many = (check(case_file(name), device="cortex-m7").figures for name in ("loop_1", "loop_big"))
    assert many["latency_ms"].value > 10_000 * one["latency_ms"].value
    phone = check(case_file("loop_big"), device="raspberry-pi-4").figures["latency_ms"]
    assert phone.low < phone.value < phone.high
    assert phone.high > 100
