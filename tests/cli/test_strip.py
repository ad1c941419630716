"""`edgeprune strip` and `edgeprune view` on real and damaged files."""

import pytest
from small_models import dense_int8, real_model
from tflite_mutations import annotated, branching, convolution

from edgeprune.tflite.compress import encode
from edgeprune.tflite.sparse.encode import encode_sparsity
from edgeprune.tflite.strip import strip
from tests.cli.test_imports import imported_by


def save(folder, data, name="model.tflite"):
    path = folder / name
    path.write_bytes(data)
    return path


def test_strip_writes_the_file_and_says_what_went(edgeprune, tmp_path):
    source, output = save(tmp_path, real_model("kws")), tmp_path / "small.tflite"
    ended = edgeprune("strip", source, "--output", output)
    assert (ended.code, ended.err) == (0, "")
    assert output.read_bytes() == strip(source.read_bytes())
    assert "53,936 → 32,960 bytes, 38.9% smaller" in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines())) <= 80
    document = edgeprune("strip", source, "--output", output, "--force", "--json").document
    assert (document["before_bytes"], document["after_bytes"]) == (53_936, 32_960)
    assert {part["name"] for part in document["before"]} == {part["name"] for part in document["after"]}


def test_the_interface_stays_when_asked_for(edgeprune, tmp_path):
    source, output = save(tmp_path, annotated()), tmp_path / "kept.tflite"
    edgeprune("strip", source, "--output", output, "--keep-interface")
    document = edgeprune("view", output, "--json").document
    assert [entry["key"] for entry in document["signatures"]] == ["serving_default"]
    assert document["metadata"]["labels"] == {"labels.txt": ["one", "two", "three"]}
    edgeprune("strip", source, "--output", output, "--force")
    document = edgeprune("view", output, "--json").document
    assert (document["signatures"], document["metadata"]["labels"]) == ([], {})


def test_an_output_that_exists_is_kept(edgeprune, tmp_path):
    source = save(tmp_path, dense_int8())
    ended = edgeprune("strip", source, "--output", source)
    assert ended.code == 3
    assert "--force" in ended.err
    assert source.read_bytes() == dense_int8()


@pytest.mark.parametrize("command", ["view", "strip", "check"])
@pytest.mark.parametrize("data", [b"", b"no model", dense_int8()[:300]])
def test_a_file_that_cannot_be_used_ends_in_3_with_a_sentence_and_no_output(
    edgeprune, tmp_path, command, data
):
    output = tmp_path / "out.tflite"
    more = {"view": (), "strip": ("--output", output), "check": ("--device", "cortex-m7")}[command]
    ended = edgeprune(command, save(tmp_path, data), *more)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error: ")
    assert "model.tflite" in ended.err
    assert not output.exists()


def test_view_shows_ops_constants_activations_and_a_summary(edgeprune, tmp_path):
    ended = edgeprune("view", save(tmp_path, real_model("resnet8")))
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    assert ended.out.count("CONV_2D") == 9
    text = " ".join(ended.out.split())
    assert "98,496 bytes, 78,752 of them in constants" in text
    assert "Activations take 49,152 bytes under TFLM's plan" in text


def test_view_can_sort_by_size(edgeprune, tmp_path):
    path = save(tmp_path, real_model("resnet8"))
    constants = edgeprune("view", path, "--sort", "size").out.split("\n\n")[1].splitlines()
    assert constants[2].split()[0] == "15"  # 64x3x3x64, the largest kernel
    assert edgeprune("view", path, "--sort", "colour").code == 2


def test_the_document_holds_all_there_is(edgeprune, tmp_path):
    document = edgeprune("view", save(tmp_path, convolution()), "--json").document
    (graph,) = document["subgraphs"]
    conv = graph["ops"][0]
    assert (conv["name"], conv["inputs"], conv["outputs"]) == ("CONV_2D", [0, 1, 2], [3])
    assert conv["options"]["padding"] == "SAME"
    weights = graph["tensors"][1]
    assert weights["scales"] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (weights["axis"], weights["zeros"], weights["stored_bytes"]) == (0, 1, 72)
    assert graph["tensors"][3]["arena_offset"] is not None
    assert document["signatures"][0]["inputs"] == {"argument_0": 0}


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (branching(), "subgraph 2"),
        (encode(convolution(), tensors={1: "prune"}), "TFLM_DECODE"),
        (encode_sparsity(dense_int8(activation="FLOAT32", weights="FLOAT32"), tensors=[1]), "DENSIFY"),
        (annotated(), "labels in labels.txt"),
        (dense_int8(activation="FLOAT32", weights="FLOAT32"), "float32"),
    ],
)
def test_view_reads_whatever_is_valid(edgeprune, tmp_path, data, shown):
    ended = edgeprune("view", save(tmp_path, data))
    assert ended.code == 0
    assert shown in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines())) <= 80


def test_metadata_that_cannot_be_read_are_a_note(edgeprune, tmp_path):
    data = annotated().replace(b"M001", b"M009")
    ended = edgeprune("view", save(tmp_path, data), "--json")
    assert ended.code == 0
    assert "no 'M001'" in ended.document["notes"][0]


def test_they_import_no_tensorflow(tmp_path):
    path = save(tmp_path, dense_int8())
    assert imported_by("view", str(path)) == "imported:"
    assert imported_by("strip", str(path), "--output", str(tmp_path / "out.tflite")) == "imported:"
