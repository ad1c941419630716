import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import REAL_MODELS, SHARED_MODELS, dense_int8, real_model

from edgeprune.errors import ModelError
from edgeprune.tflite.model import constant_values
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

SMALL = dense_int8(signature=True)
HELLO = SHARED_MODELS / REAL_MODELS["hello_world"]
VICTIMS = [SMALL] + ([HELLO.read_bytes()] if HELLO.exists() else [])


def test_everything_a_file_says_is_read():
    model = read_model(SMALL, where="dense.tflite")
    (op,) = model.ops
    assert (op.name, op.version, op.inputs, op.outputs) == ("FULLY_CONNECTED", 4, (0, 1, 2), (3,))
    assert op.options["fused_activation_function"] == "NONE"
    weights = model.tensors[1]
    assert (weights.shape, weights.dtype, weights.is_constant) == ((3, 2), "int8", True)
    assert constant_values(weights).tolist() == [[1, 2], [3, 4], [-5, 6]]
    assert constant_values(model.tensors[2]).tolist() == [10, 0, -10]
    assert [tensor.name for tensor in model.inputs + model.outputs] == ["input", "output"]
    assert model.inputs[0].scales.tolist() == [1.0]
    (signature,) = model.signatures
    assert (signature.key, dict(signature.inputs)) == ("serve", {"argument_0": 0})
    assert model.size_bytes == len(SMALL)


def test_resnet8_has_the_layers_its_paper_says():
    model = read_model(real_model("resnet8"), where="resnet8")
    names = [op.name for op in model.ops]
    assert names.count("CONV_2D") == 9
    assert names.count("ADD") == 3
    assert model.inputs[0].shape == (1, 32, 32, 3)
    strided = model.ops[names.index("CONV_2D")]
    assert (strided.options["padding"], strided.options["stride_w"]) == ("SAME", 1)


def test_constants_are_views_and_not_copies():
    model = read_model(SMALL, where="dense")
    assert model.tensors[1].data.base is not None
    assert not model.tensors[1].data.flags.writeable


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"this is a text file, renamed", "TFL3"),
        (SMALL[:300], "damaged"),
        (b"\x00" * 4 + b"TFL3" + b"\x00" * 100, "damaged"),
        (b"\xff" * 4 + b"TFL3" + b"\xff" * 100, "damaged"),
    ],
)
def test_what_is_no_model_is_refused_with_its_name(data, reason):
    with pytest.raises(ModelError) as caught:
        read_model(data, where="notes.tflite")
    assert "notes.tflite" in caught.value.message
    assert reason in caught.value.message
    assert caught.value.exit_code == 3


def test_a_constant_that_does_not_fill_its_shape_is_refused():
    shape = bytes([2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0])  # a vector of two int32: 3, 2
    assert SMALL.count(shape) == 1
    with pytest.raises(ModelError, match="6 bytes, its shape"):
        read_model(SMALL.replace(shape, shape[:8] + bytes([9, 0, 0, 0])), where="dense")


def test_an_op_that_names_a_missing_tensor_is_refused():
    inputs = bytes([3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
    assert SMALL.count(inputs) == 1
    with pytest.raises(ModelError, match="tensor 7 of 4"):
        read_model(SMALL.replace(inputs, inputs[:12] + bytes([7, 0, 0, 0])), where="dense")


def test_vectors_that_unfold_into_millions_are_refused_at_once():
    # One tensor, listed 20,000 times in a subgraph that is itself listed 20,000 times.
    from edgeprune.tflite.schema import load_schema
    from edgeprune.tflite.strip import pack

    schema = load_schema()
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAs(SMALL, 0))

    class Repeated:
        def __init__(self, packed):
            self.packed, self.offset = packed, None

        def Pack(self, builder):  # noqa: N802
            if self.offset is None:
                self.offset = self.packed.Pack(builder)
            return self.offset

    graph = made.subgraphs[0]
    graph.tensors = [Repeated(graph.tensors[0])] * 20_000
    made.subgraphs = [Repeated(graph)] * 20_000
    bomb = pack(made)
    assert len(bomb) < 200_000
    with pytest.raises(ModelError, match="more elements"):
        read_model(bomb, where="bomb")


def read_or_refuse(data: bytes) -> None:
    try:
        model = read_model(data, where="fuzzed")
    except ModelError:
        return
    try:
        op_shapes(model)
        strip(data)
    except ModelError:
        return


@settings(max_examples=200, deadline=1000)
@given(victim=st.sampled_from(VICTIMS), data=st.data())
def test_a_file_cut_off_anywhere_is_read_or_refused(victim, data):
    read_or_refuse(victim[: data.draw(st.integers(0, len(victim)))])


@settings(max_examples=500, deadline=1000)
@given(victim=st.sampled_from(VICTIMS), data=st.data())
def test_a_file_with_any_bytes_changed_is_read_or_refused(victim, data):
    damaged = bytearray(victim)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(victim) - 4))
        if data.draw(st.booleans()):
            damaged[place] ^= 1 << data.draw(st.integers(0, 7))
        else:
            word = data.draw(st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000]))
            damaged[place : place + 4] = word.to_bytes(4, "little")
    read_or_refuse(bytes(damaged))


def test_reading_imports_no_runtime():
    script = (
        "import sys; from edgeprune.tflite.read import read_model; from edgeprune.tflite.schema import "
        "load_schema; load_schema(); print([name for name in ('tensorflow', 'tflite_micro', 'keras') "
        "if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert said.stdout.strip() == "[]"
