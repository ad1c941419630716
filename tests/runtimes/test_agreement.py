"""Files in every runtime there is, against LiteRT's reference kernels."""

from dataclasses import replace

import numpy as np
import pytest
from shared_cases import case_file
from small_models import dense_int8, real_model, unary

from edgeprune.commands.agree import AgreeResult, compare_file, draw_input
from edgeprune.runtimes.agreement import (
    Comparison,
    _is_contradicted,
    choose_sample_count,
    compare_runtimes,
)
from edgeprune.runtimes.compare import Agreement
from edgeprune.runtimes.litert_choice import explain_unusable
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.ops import output_steps
from edgeprune.tflite.read import read_model

X = (np.random.default_rng(0).standard_normal((20, 2)),)


@pytest.fixture(scope="module")
def dense() -> Comparison:
    return compare_runtimes(dense_int8(), X)


def with_tflm(comparison: Comparison, **changes: object) -> AgreeResult:
    """The result if TFLM had differed by that."""
    row = comparison.tflm
    assert row is not None
    assert row.agreement is not None
    found: Agreement = replace(row.agreement, **changes)
    rows = (*comparison.rows[:-1], replace(row, agreement=found))
    return AgreeResult(
        file=None,  # type: ignore[arg-type]
        comparison=replace(comparison, rows=rows),
        samples=20,
        inputs="made",
    )


def test_tflm_computes_what_the_reference_kernels_do(dense: Comparison) -> None:
    assert [row.kind for row in dense.rows] == ["xnnpack", "tflm"]
    assert "reference kernels" in dense.reference
    result = with_tflm(dense)
    assert result.ok
    if dense.decides:
        assert "bit for bit" in result.sentence


def test_one_step_is_rounding_and_two_are_a_finding(dense: Comparison) -> None:
    one = with_tflm(dense, max_steps=1, differing=3)
    assert one.ok
    assert "1 quantization step at most" in one.sentence
    two = with_tflm(replace(dense, decides=True), max_steps=2, differing=3, changed_top1=1)
    assert not two.ok
    assert two.to_json()["ok"] is False
    assert "TFLM does not agree" in two.sentence
    assert "2 quantization steps in 3 of" in two.sentence
    assert "1 of 20 answers change" in two.sentence


def test_a_reference_that_rounds_otherwise_than_tflm_decides_nothing(dense: Comparison) -> None:
    result = with_tflm(replace(dense, decides=False), max_steps=9, differing=3)
    assert result.ok
    assert "only tflite-runtime 2.14 can tell" in result.sentence


def test_what_is_installed_and_the_odd_one_out_is_not_asked_for(dense: Comparison) -> None:
    comparison = replace(dense, decides=False)
    row = comparison.tflm
    assert row is not None
    assert row.agreement is not None
    odd = replace(row, kind="odd", agreement=replace(row.agreement, max_steps=236))
    with_odd = replace(comparison, rows=(odd, *comparison.rows))
    sentence = with_tflm(with_odd, max_steps=5, differing=3).sentence
    assert "so whether TFLM is at fault stays open. The odd one out is" in sentence
    assert "edgeprune doctor" not in sentence


def test_floats_are_compared_by_the_range_of_the_output(dense: Comparison) -> None:
    near = with_tflm(dense, max_steps=None, differing=3, max_fraction=1e-5)
    far = with_tflm(replace(dense, decides=True), max_steps=None, differing=3, max_fraction=0.1)
    assert (near.ok, far.ok) == (True, False)


def test_an_op_that_tflm_lacks_is_said_and_the_others_are_compared() -> None:
    comparison = compare_runtimes(unary("GELU"), (np.zeros((4, 4)),))
    assert comparison.rows[0].agreement is not None
    assert "no kernel" in (comparison.tflm.unavailable if comparison.tflm else "")


def test_a_shared_model_is_exact_in_tflm_on_random_inputs(tmp_path) -> None:
    path = tmp_path / "kws.tflite"
    path.write_bytes(real_model("kws"))
    result = compare_runtimes(path.read_bytes(), _random(path.read_bytes(), 8))
    if not result.decides:
        pytest.skip("tflite-runtime 2.14 is not installed: other versions of LiteRT round otherwise")
    assert result.tflm is not None
    assert result.tflm.agreement is not None
    assert result.tflm.agreement.is_exact


def _random(data: bytes, count: int) -> tuple[np.ndarray, ...]:
    shapes = [tensor.shape[1:] for tensor in read_model(data, where="m").inputs]
    return tuple(np.random.default_rng(0).integers(-128, 128, (count, *s), dtype=np.int8) for s in shapes)


def test_random_inputs_fill_the_type_and_depend_on_the_seed_alone() -> None:
    (tensor,) = read_model(dense_int8(), where="m").inputs
    one, same, other = (draw_input(tensor, 500, batch=1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert (one.dtype, one.shape, one.min(), one.max()) == (np.int8, (500, 2), -128, 127)


def test_agree_runs_all_that_is_installed(tmp_path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense_int8())
    document = compare_file(path, data=None, samples=5, seed=2).to_json()
    assert (document["samples"], document["inputs"]) == (5, "random, seed 2")
    kinds = [row["kind"] for row in document["runtimes"]]
    assert kinds == ["xnnpack", "newer-reference", "newer-xnnpack", "tflm"]
    assert not any(row["unavailable"] for row in document["runtimes"])
    assert document["ok"]


def test_integers_have_steps_and_floats_have_none() -> None:
    assert output_steps(read_model(dense_int8(), where="m"))[0] > 0
    floats = dense_int8(activation="FLOAT32", weights="FLOAT32")
    assert output_steps(read_model(floats, where="m")) == (0.0,)


def test_large_models_are_compared_on_fewer_samples() -> None:
    assert [choose_sample_count(macs) for macs in (0, 10**6, 10**9, 10**12)] == [100, 100, 4, 4]


@pytest.mark.parametrize("name", ["accumulator", "running_sum", "nested_if", "loop_no_input", "while_simple"])
def test_state_scalars_and_loops_are_no_disagreement(name) -> None:
    result = compare_file(case_file(name), samples=8)
    row = result.comparison.tflm
    assert row is not None
    if row.is_missing:
        pytest.skip(row.unavailable)
    assert row.agreement is not None, row.unavailable
    assert row.agreement.is_exact
    assert result.ok


def test_nested_branches_give_in_tflm_what_the_case_says() -> None:
    x = np.array([1, 4, 6, 10])
    values = run_tflm(case_file("nested_if").read_bytes(), (x[:, None], x)).outputs[0].values
    assert values.ravel().tolist() == [3, 8, 12, 18]


@pytest.mark.parametrize("name", ["dense3d", "dense2d", "dense3d_per_tensor"])
def test_the_odd_one_out_is_named_with_its_version(name) -> None:
    if explain_unusable("tflite-runtime"):
        pytest.skip("tflite-runtime, whose kernel is the odd one out, is not here")
    result = compare_file(case_file(name), samples=20)
    assert result.ok
    assert ("The odd one out is tflite-runtime 2.14" in result.sentence) == (name == "dense3d")


@pytest.mark.parametrize("steps", [0, 9])
def test_a_reference_that_every_other_contradicts_is_given_up(steps: int, dense: Comparison) -> None:
    assert dense.tflm is not None
    assert dense.tflm.agreement is not None
    row = replace(dense.tflm, agreement=replace(dense.tflm.agreement, max_steps=steps, differing=steps))
    assert _is_contradicted([row, row, row]) == (steps > 1)
    assert not _is_contradicted([row, row])
