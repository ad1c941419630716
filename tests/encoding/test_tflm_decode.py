"""Which constants are encoded, on real profiles and models."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import dense_int8, model, real_model, tensor
from sparse_models import cluster, one_layer, random_inputs, sparsify, two_readers

from edgeprune.commands.compress import compress_file
from edgeprune.device.check import resolve_budgets
from edgeprune.device.profile import load_profile
from edgeprune.encoding.tflm_decode import choose_encodings
from edgeprune.errors import OutputError
from edgeprune.measuring.backend import backend_of, measure
from edgeprune.measuring.runtime import choose_runtime
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import strip


def chosen(data, device="cortex-m7", **flags):
    profile = load_profile(device)
    return backend_of(profile).encode(data, budgets=resolve_budgets(profile, asked=flags)).compressed


@pytest.fixture(scope="module")
def resnet8():
    return strip(sparsify(real_model("resnet8"), 0.8))


@pytest.fixture(scope="module")
def autoencoder():
    return strip(sparsify(real_model("ad01"), 0.8))


def test_resnet8_at_80_percent_fits_into_50000_bytes_with_15_percent_more_arena(resnet8):
    result = chosen(resnet8)
    assert len(result.tflite) <= 50_000
    assert result.after["tflite_bytes"].value == len(result.tflite)
    assert result.after["arena_bytes"].value <= 1.15 * result.before["arena_bytes"].value
    assert result.after["arena_bytes"].source == "simulated"
    assert result.after["instructions"].value > result.before["instructions"].value
    assert len(result.encoded) == 10
    samples = random_inputs(resnet8)
    assert compare_runs(run_tflm(resnet8, samples), run_tflm(result.tflite, samples)).is_exact


def test_what_would_break_the_ram_budget_is_left_out_and_says_so(autoencoder):
    result = chosen(autoencoder, ram_kib=16)
    assert result.after["ram_bytes"].value <= 16 * 1024
    reasons = {row.tensors[0]: row.reason for row in result.tensors if row.dtype == "int8"}
    assert (
        sum("it would take RAM to" in reason and "over 16 KiB" in reason for reason in reasons.values()) == 8
    )
    assert any("over 16 KiB" in sentence for sentence in result.describe())


def test_with_room_the_same_constants_are_encoded(autoencoder):
    result = chosen(autoencoder, ram_kib=128, latency_ms=50)
    assert len(result.encoded) == 10
    assert len(result.tflite) < 0.4 * len(autoencoder)
    assert not any("stays as it is" in sentence for sentence in result.describe())


def test_between_the_two_only_the_largest_are_left_out(autoencoder):
    result = chosen(autoencoder, ram_kib=32)
    assert sorted(row.before_bytes for row in result.tensors if row.is_missed) == [81_920, 81_920]
    assert result.after["ram_bytes"].value <= 32 * 1024


def test_a_latency_budget_that_holds_is_kept(autoencoder):
    # About 1 ms as it is, 10 ms with everything encoded.
    result = chosen(autoencoder, ram_kib=128, latency_ms=4)
    assert result.after["latency_ms"].value <= 4
    assert 0 < len(result.encoded) < 10
    assert any("latency" in row.reason for row in result.tensors)


def test_a_latency_budget_that_is_missed_anyway_keeps_nothing_out(autoencoder):
    assert len(chosen(autoencoder, ram_kib=128, latency_ms=1).encoded) == 10


def test_ram_that_is_over_its_budget_does_not_grow(resnet8):
    result = chosen(resnet8, ram_kib=40)
    assert result.after["ram_bytes"].value <= result.before["ram_bytes"].value


def test_clustered_weights_are_stored_in_tables():
    data = strip(cluster(real_model("ad01"), 32))
    result = chosen(data, ram_kib=128)
    assert {row.encoding for row in result.encoded} == {"lut"}
    # Three bits for each of the weights, which are nearly all of the file.
    assert len(result.tflite) < 0.43 * len(data)
    samples = random_inputs(data)
    assert compare_runs(run_tflm(data, samples), run_tflm(result.tflite, samples)).is_exact


def test_each_constant_takes_the_encoding_that_needs_less():
    # Few values and many zeros: 1 bit for all and 8 for one in ten, or 2 bits for all.
    mostly_zero = chosen(one_layer("CONV_2D", palette=(0,) * 28 + (1, 2, 3)))
    (weights,) = (row for row in mostly_zero.tensors if row.dtype == "int8")
    assert weights.encoding == "prune"
    half_zero = chosen(one_layer("CONV_2D", palette=(0, 0, 0, 1, 2, 3)))
    (weights,) = (row for row in half_zero.tensors if row.dtype == "int8")
    assert weights.encoding == "lut"


def test_a_dense_model_stays_as_it_is():
    data = strip(real_model("resnet8"))
    result = chosen(data)
    assert result.tflite == data
    assert result.describe()[0].startswith("Nothing is")


def test_a_saving_smaller_than_the_code_of_the_decode_op_is_none():
    result = chosen(strip(one_layer("CONV_2D")))
    assert not result.encoded
    assert any("the DECODE op's code takes" in row.reason for row in result.tensors)


def test_what_shares_its_bytes_is_chosen_once():
    result = chosen(strip(two_readers()))
    (row,) = result.tensors
    assert row.ops == ("FULLY_CONNECTED 0", "FULLY_CONNECTED 1")


def test_a_device_that_cannot_unpack_is_told_so(resnet8):
    profile = choose_runtime(load_profile("cortex-m7"), "c")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # without a compiler, figures are estimated at once
        encoded = backend_of(profile).encode(resnet8, budgets=resolve_budgets(profile))
    assert encoded.compressed is None
    assert encoded.describe() == ["c on cortex-m7 cannot unpack constants; encoding saves nothing there."]


def test_the_document_holds_every_constant(resnet8):
    document = chosen(resnet8).to_json()
    assert document["encoded"] == 10
    assert {"tensors", "ops", "encoding", "file_bytes", "arena_bytes"} <= set(document["tensors"][0])


def test_a_file_is_written_with_its_interface_and_figures_as_check_finds_them(tmp_path, resnet8):
    source, output = tmp_path / "sparse.tflite", tmp_path / "encoded.tflite"
    source.write_bytes(resnet8)
    result = compress_file(source, output=output, device="cortex-m7", flags={})
    assert result.ok
    found = measure(output.read_bytes(), profile=load_profile("cortex-m7"), where="encoded")
    assert found.figures == result.choice.after
    assert found.unsupported == ()
    with pytest.raises(OutputError, match="exists"):
        compress_file(source, output=output, device="cortex-m7", flags={})


def test_nothing_is_written_where_nothing_is_worth_it(tmp_path):
    source, output = tmp_path / "dense.tflite", tmp_path / "encoded.tflite"
    source.write_bytes(dense_int8())
    result = compress_file(source, output=output, device="cortex-m7", flags={})
    assert (result.ok, result.output, output.exists()) == (False, None, False)


def two_layers(*, large, sparse):
    """Two FULLY_CONNECTED ops: a large one with every third weight, and a smaller one with every twentieth.

    Args:
        large: outputs and inputs of the first.
        sparse: outputs of the second.
    """
    schema = load_schema()

    def weights(shape, every):
        values = np.random.default_rng(0).integers(1, 128, shape)
        values.flat[np.arange(values.size) % every != 0] = 0
        return values.astype(np.int8)

    made, taken = large
    tensors = [
        tensor((1, taken), scale=0.05),
        tensor((made, taken), data=weights((made, taken), 3), scale=0.01),
        tensor((1, made), scale=0.1),
        tensor((sparse, made), data=weights((sparse, made), 20), scale=0.01),
        tensor((1, sparse), scale=0.1),
    ]
    ops = [
        ("FULLY_CONNECTED", (0, 1, -1), (2,), schema.FullyConnectedOptionsT()),
        ("FULLY_CONNECTED", (2, 3, -1), (4,), schema.FullyConnectedOptionsT()),
    ]
    return strip(model(tensors, ops, inputs=[0], outputs=[4]))


def chosen_with_a_prediction_too_low(data):
    """What is chosen where both layers fit as predicted, 600 bytes too low, and miss by 300 in truth."""
    profile = load_profile("cortex-m7")
    before = measure(data, profile=profile, where="before").figures
    arena = before["arena_bytes"]
    both = chosen(data)
    assert len(both.encoded) == 2
    return choose_encodings(
        data,
        profile=profile,
        limits={"ram": both.after["ram_bytes"].value - 300},
        before={**before, "arena_bytes": replace(arena, value=arena.value - 600)},
        measure=lambda file: measure(file, profile=profile, where="a trial").figures,
    )


def test_where_the_real_allocator_takes_more_than_was_predicted_what_was_worth_least_is_left_out():
    # A byte of arena buys two thirds of a byte, less a bit per weight, in the first layer: 0.54. In the
    # second it buys 0.82, and that layer alone is half as large in the arena.
    data = two_layers(large=(256, 256), sparse=128)
    result = chosen_with_a_prediction_too_low(data)
    large, sparse = result.tensors
    assert (large.before_bytes, sparse.before_bytes) == (65_536, 32_768)
    assert (large.encoded, sparse.encoded) == (False, True)
    assert large.reason.startswith("it would take RAM to")
    assert result.after["ram_bytes"].value < result.before["ram_bytes"].value + 33 * 1024
    assert result.after["flash_bytes"].value < result.before["flash_bytes"].value


def test_what_is_left_when_the_allocator_takes_more_must_still_outweigh_the_decode_op():
    # The second layer saves 82 % of 16 KiB, and the code of the DECODE op takes 21 KiB.
    data = two_layers(large=(256, 128), sparse=64)
    result = chosen_with_a_prediction_too_low(data)
    assert result.tflite == data
    assert "the DECODE op's code takes" in result.tensors[1].reason
