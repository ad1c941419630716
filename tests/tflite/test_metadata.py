"""TFLite metadata, attached files and signatures: written, read back, refused where they are damaged."""

from random import Random

import pytest
from small_models import dense_int8
from tflite_mutations import annotated

from edgeprune.errors import ModelError
from edgeprune.tflite.annotate import SIGNATURE_KEY, Annotation, annotate
from edgeprune.tflite.attached import attach, read_attached
from edgeprune.tflite.metadata import (
    ENTRY,
    IDENTIFIER,
    ModelMetadata,
    TensorMetadata,
    read_metadata,
    write_metadata,
)
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

FULL = ModelMetadata(
    name="digits",
    description="Made by a test. Ü",
    version="3",
    inputs=(
        TensorMetadata(
            name="image",
            color_space="grayscale",
            mean=(127.5,),
            std=(64.0,),
            minimum=(0.0,),
            maximum=(255.0,),
        ),
        TensorMetadata(name="age"),
    ),
    outputs=(TensorMetadata(name="digit", labels="labels.txt"),),
)
LABELS = {"labels.txt": b"zero\none\n"}


@pytest.mark.parametrize("metadata", [FULL, ModelMetadata(), ModelMetadata(name="only a name")])
def test_what_is_written_is_read(metadata):
    content = write_metadata(metadata)
    assert content[4:8] == IDENTIFIER
    assert read_metadata(content, where="file") == metadata


def test_metadata_without_their_identifier_are_refused():
    with pytest.raises(ModelError, match="M001"):
        read_metadata(b"\0" * 64, where="file")


def test_damaged_metadata_are_read_or_refused():
    random, content = Random(0), write_metadata(FULL)
    refused = 0
    for _ in range(500):
        damaged = bytearray(content)
        damaged[random.randrange(8, len(damaged))] ^= 1 << random.randrange(8)
        try:
            read_metadata(bytes(damaged), where="file")
        except ModelError:
            refused += 1
    assert refused


def test_a_file_says_what_it_was_given_and_is_the_same_network():
    plain = strip(dense_int8())
    file = annotate(plain, Annotation(inputs=("x",), outputs=("y",), metadata=FULL, files=LABELS))
    model = read_model(file, where="file")
    (signature,) = model.signatures
    assert (signature.key, dict(signature.inputs), dict(signature.outputs)) == (
        SIGNATURE_KEY,
        {"x": 0},
        {"y": 3},
    )
    assert [tensor.name for tensor in (*model.inputs, *model.outputs)] == ["x", "y"]
    assert read_metadata(model.metadata[ENTRY], where="file") == FULL
    assert read_attached(file, model) == LABELS
    assert strip(file) == plain
    assert strip(file, keep_interface=True) == file


def test_nothing_to_say_leaves_the_file_as_it_is():
    plain = strip(dense_int8())
    assert annotate(plain, Annotation()) == plain


def test_equal_files_give_equal_bytes():
    assert attach(b"model", LABELS) == attach(b"model", LABELS)


def test_an_archive_inside_the_model_is_none_behind_it():
    archive = attach(b"", {"other.txt": b"inside"})
    metadata = ModelMetadata(name="archive", description=archive.decode("latin-1"))
    file = annotate(strip(dense_int8()), Annotation(metadata=metadata, files=LABELS))
    assert read_attached(file, read_model(file, where="file")) == LABELS


def test_an_archive_behind_a_model_without_metadata_is_not_looked_at():
    file = attach(dense_int8(), LABELS)
    assert read_attached(file, read_model(file, where="file")) == {}


def test_a_damaged_archive_is_refused_with_the_way_out():
    file = bytearray(annotated())
    place = file.rindex(b"PK\x01\x02")  # the directory's only entry
    file[place + 42 : place + 46] = b"\xff\xff\xff\x7f"  # where its file begins
    with pytest.raises(ModelError, match="--drop-interface"):
        strip(bytes(file), keep_interface=True)
    assert strip(bytes(file))


def test_an_archive_that_would_unfold_to_much_more_is_refused():
    file = bytearray(annotated())
    place = file.rindex(b"PK\x01\x02")
    file[place + 24 : place + 28] = (1 << 30).to_bytes(4, "little")  # the size it claims to unfold to
    with pytest.raises(ModelError, match="unfold to 1073741824"):
        strip(bytes(file), keep_interface=True)
