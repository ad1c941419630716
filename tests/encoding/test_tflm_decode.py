"""Which constants are encoded, on real profiles and models."""

import pytest
from small_models import dense_int8, real_model
from sparse_models import cluster, one_layer, random_inputs, sparsify, two_readers

from edgeprune.commands.compress import compress_file
from edgeprune.device.check import resolve_budgets
from edgeprune.device.profile import load_profile
from edgeprune.encoding.tflm_decode import choose_encodings
from edgeprune.errors import OutputError
from edgeprune.measuring.backend import measure
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.strip import strip


def chosen(data, device="cortex-m7", **flags):
    profile = load_profile(device)
    return choose_encodings(data, profile=profile, budgets=resolve_budgets(profile, asked=flags))


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
    result = chosen(resnet8, "pixel-6")
    assert result.tflite == resnet8
    assert "cannot unpack" in result.note


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
