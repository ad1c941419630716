from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
from shared_cases import SHARED_CASES
from small_models import dense_int8, real_model, unary

from edgeprune.errors import ModelError, ToolFailedError, ToolMissingError
from edgeprune.runtimes import vela
from edgeprune.runtimes.vela import ETHOS_U_OP, run_vela
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, strip


def _is_installed():
    try:
        return bool(version(vela.PACKAGE))
    except PackageNotFoundError:
        return False


needs_vela = pytest.mark.skipif(not _is_installed(), reason="ethos-u-vela is not installed")

U55 = {
    "accelerator": "ethos-u55-128",
    "system_config": "Ethos_U55_High_End_Embedded",
    "memory_mode": "Shared_Sram",
}
U65 = {"accelerator": "ethos-u65-256", "system_config": "Ethos_U65_Embedded", "memory_mode": "Shared_Sram"}


def zero_smallest(tflite, sparsity):
    """The file with that fraction of each int8 matrix or filter zeroed, the smallest first."""
    schema = load_schema()
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    for tensor in made.subgraphs[0].tensors:
        buffer = made.buffers[tensor.buffer]
        if tensor.type == schema.TensorType.INT8 and len(tensor.shape) > 1 and buffer.data is not None:
            weights = np.array(buffer.data).view(np.int8).copy()
            order = np.argsort(np.abs(weights.astype(int)), kind="stable")
            weights[order[: round(sparsity * weights.size)]] = 0
            buffer.data = weights.view(np.uint8)
    return pack(made)


@needs_vela
def test_a_dense_layer_becomes_one_op_of_the_npu():
    found = run_vela(dense_int8(), **U55)
    assert [op.name for op in found.model.ops] == [ETHOS_U_OP]
    assert found.cpu_ops == ()
    assert found.macs == 2 * 3
    assert found.weights_bytes == 16  # Vela counts them with the padding
    assert sum(op.cycles for op in found.ops) == found.cycles > 0
    assert found.inference_ms == pytest.approx(found.cycles / 500e3)
    assert found.version == version("ethos-u-vela")


@needs_vela
def test_what_vela_leaves_to_the_core_is_listed_with_its_reason():
    (left,) = run_vela(dense_int8(activation="FLOAT32", weights="FLOAT32"), **U55).cpu_ops
    assert (left.op, left.count) == ("FULLY_CONNECTED", 1)
    assert "Float32" in left.reason


@needs_vela
def test_an_op_without_a_reason_is_listed_all_the_same():
    (left,) = run_vela(unary("MyOp"), **U55).cpu_ops
    assert (left.op, left.reason) == ("CUSTOM:MyOp", "")


@needs_vela
@pytest.mark.parametrize("configuration", [U55, U65], ids=lambda given: given["accelerator"])
def test_zeros_pay_in_flash(configuration):
    dense = strip(real_model("resnet8"))
    sparse = strip(zero_smallest(dense, 0.8))
    before, after = run_vela(dense, **configuration), run_vela(sparse, **configuration)
    assert len(sparse) == len(dense)
    assert before.weights_bytes == after.weights_bytes == 77_360
    assert after.encoded_weights_bytes <= 0.35 * before.encoded_weights_bytes
    assert len(after.tflite) <= 0.4 * len(before.tflite)
    assert after.memory_bytes["Off-chip Flash"] <= 0.4 * before.memory_bytes["Off-chip Flash"]


@needs_vela
def test_the_parts_of_the_compiled_file_add_up():
    found = run_vela(strip(real_model("resnet8")), **U55)
    records = len(found.tflite) - found.read_only_bytes - found.commands_bytes
    assert 0 < records < 2048
    assert found.read_only_bytes == pytest.approx(found.memory_bytes["Off-chip Flash"], abs=16)
    assert found.arena_bytes == found.memory_bytes["SRAM"]
    assert found.fast_scratch_bytes == 0


@needs_vela
def test_with_dedicated_sram_constants_are_no_part_of_the_arena():
    modes = {**U65, "system_config": "Ethos_U65_Mid_End", "memory_mode": "Dedicated_Sram_384KB"}
    found = run_vela(strip(real_model("ad01")), **modes)
    assert found.memory_bytes["DRAM"] == found.arena_bytes + found.read_only_bytes
    assert found.arena_bytes == 640
    assert found.fast_scratch_bytes == found.memory_bytes["SRAM"] > 0


@needs_vela
def test_the_same_file_is_compiled_to_the_same_bytes():
    assert run_vela(dense_int8(), **U55).tflite == run_vela(dense_int8(), **U55).tflite


@needs_vela
def test_a_file_that_has_been_compiled_is_refused():
    compiled = run_vela(dense_int8(), **U55).tflite
    with pytest.raises(ModelError, match="compiled by Vela already"):
        run_vela(compiled, **U55)


def test_a_damaged_file_is_refused_before_vela_sees_it():
    with pytest.raises(ModelError):
        run_vela(dense_int8()[:300], **U55)


@needs_vela
def test_what_vela_refuses_is_told_in_its_words():
    with pytest.raises(ToolFailedError, match="exit code 1") as failure:
        run_vela(dense_int8(), **{**U55, "system_config": "Ethos_U55_Elsewhere"})
    assert "Ethos_U55_Elsewhere not found" in failure.value.why
    assert "Traceback" not in failure.value.why


@needs_vela
def test_what_vela_cannot_read_is_told_in_words():
    file = SHARED_CASES / "tflite/accumulator.tflite"
    if not file.exists():
        pytest.skip("../shared/cases is not beside this checkout")
    with pytest.raises(ToolFailedError, match="Vela cannot read the file") as failure:
        run_vela(file.read_bytes(), **U55)
    assert failure.value.why == "it has no form of arith.constant"
    assert "resource variables" in failure.value.fix


@needs_vela
def test_a_run_that_takes_too_long_is_ended():
    with pytest.raises(ToolFailedError, match=r"did not finish within 0\.01 s"):
        run_vela(dense_int8(), **U55, timeout_seconds=0.01)


def test_without_vela_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setattr(vela, "PACKAGE", "ethos-u-vela-which-nobody-published")
    with pytest.raises(ToolMissingError) as missing:
        run_vela(dense_int8(), **U55)
    assert missing.value.fix == "pip install 'edgeprune[ethos-u]'"
    assert missing.value.exit_code == 4
