"""`edgeprune compress` on real files."""

from pathlib import Path

import pytest
from phone_models import mobilenet
from small_models import real_model
from sparse_models import sparsify

from tests.cli.test_imports import imported_by


@pytest.fixture
def sparse(tmp_path):
    path = tmp_path / "sparse.tflite"
    path.write_bytes(sparsify(real_model("resnet8"), 0.8))
    return path


def test_a_sparse_file_becomes_smaller_with_a_table_of_its_constants(edgeprune, sparse, tmp_path):
    output = tmp_path / "encoded.tflite"
    ended = edgeprune("compress", sparse, "--device", "cortex-m7", "--output", output)
    assert (ended.code, ended.err) == (0, "")
    assert output.stat().st_size < 50_000
    assert max(map(len, ended.out.splitlines())) <= 80
    text = " ".join(ended.out.split())
    assert "10 of 20 constants are stored encoded (10 as PRUNE)" in text
    assert "Unpacking them costs: arena" in text


def test_the_document_says_what_became_of_each_constant(edgeprune, sparse, tmp_path):
    output = tmp_path / "encoded.tflite"
    arguments = ("compress", sparse, "--device", "cortex-m7", "--output", output, "--json")
    document = edgeprune(*arguments).document
    assert document["schema"] == 1
    assert document["ok"]
    assert sum(row["encoded"] for row in document["tensors"]) == document["encoded"] == 10
    # The table names constants as the file did before they were stripped of their names.
    assert any("conv2d" in row["name"] for row in document["tensors"])
    refused = edgeprune(*arguments)
    assert refused.code == 3
    assert "--force" in refused.document["error"]["fix"]


def test_a_dense_file_ends_in_1_with_a_sentence_and_no_file(edgeprune, tmp_path):
    source, output = tmp_path / "dense.tflite", tmp_path / "encoded.tflite"
    source.write_bytes(real_model("resnet8"))
    ended = edgeprune("compress", source, "--device", "cortex-m7", "--output", output)
    assert ended.code == 1
    assert "Nothing is" in ended.out
    assert not output.exists()


def test_a_device_without_the_decode_op_ends_in_1(edgeprune, sparse, tmp_path):
    output, profile = tmp_path / "encoded.tflite", tmp_path / "phone.toml"
    shipped = (Path(__file__).parents[2] / "device_profiles" / "pixel-6.toml").read_text()
    profile.write_text(shipped.replace('decodes = ["xnnpack-sparse"]\n', ""))
    ended = edgeprune("compress", sparse, "--device", profile, "--output", output)
    assert ended.code == 1
    assert "cannot unpack constants" in " ".join(ended.out.split())


def test_a_float_file_for_a_phone_is_stored_without_zeros_and_timed(edgeprune, tmp_path):
    source, output = tmp_path / "float.tflite", tmp_path / "sparse.tflite"
    source.write_bytes(mobilenet())
    ended = edgeprune("compress", source, "--device", "pixel-6", "--output", output)
    text = " ".join(ended.out.split())
    assert ended.err == ""
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "measured on this machine" in text
    assert ended.code == (0 if output.exists() else 1)
    if output.exists():
        assert output.stat().st_size < 0.5 * source.stat().st_size
        document = edgeprune("check", output, "--device", "pixel-6", "--json").document
        assert not document["unsupported"]


def test_a_quantized_file_for_a_phone_ends_in_1_with_the_op_that_stands_in_the_way(
    edgeprune, sparse, tmp_path
):
    output = tmp_path / "encoded.tflite"
    ended = edgeprune("compress", sparse, "--device", "pixel-6", "--output", output, "--json")
    assert ended.code == 1
    assert not output.exists()
    assert not ended.document["pattern"]["holds"]
    assert "computes in int8" in ended.document["sentences"][0]
    assert "removing channels" in ended.document["sentences"][1]


def test_check_reads_what_compress_wrote(edgeprune, sparse, tmp_path):
    output = tmp_path / "encoded.tflite"
    edgeprune("compress", sparse, "--device", "cortex-m7", "--output", output)
    checks = edgeprune("check", output, "--device", "cortex-m7", "--json").document["checks"]
    assert next(check for check in checks if check["name"] == "ops")["ok"]
    document = edgeprune("check", output, "--device", "pixel-6", "--json").document
    assert "use the file before encoding" in document["unsupported"][0]


def test_compress_imports_no_tensorflow(sparse, tmp_path):
    arguments = (str(sparse), "--device", "cortex-m7", "--output", str(tmp_path / "encoded.tflite"))
    assert imported_by("compress", *arguments) == "imported:"
