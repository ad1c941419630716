import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import REAL_MODELS, SHARED_MODELS, dense_int8, model, real_model, tensor
from tflite_mutations import branching

from edgeprune.errors import ModelError
from edgeprune.tflite.calls import find_call_problem
from edgeprune.tflite.model import Op, Subgraph, constant_values
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, strip, unpack

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


def test_a_long_name_that_many_tensors_share_is_refused_at_once():
    made = unpack(SMALL, where="dense")
    entry = made.subgraphs[0].tensors[0]
    entry.name = "a" * 100_000

    class Repeated:
        offset = None

        def Pack(self, builder):  # noqa: N802
            self.offset = self.offset or entry.Pack(builder)
            return self.offset

    made.subgraphs[0].tensors += [Repeated()] * 1000
    bomb = pack(made)
    assert len(bomb) < 250_000
    with pytest.raises(ModelError, match="more elements"):
        read_model(bomb, where="bomb")


def test_a_large_constant_that_many_tensors_share_is_refused_at_once():
    shared = tensor((1_000_000,), data=np.zeros(1_000_000, np.int8))
    many = [tensor((1_000_000,)) for _ in range(200)]
    ends = [tensor((1,)), tensor((1,))]
    made = unpack(
        model([shared, *many, *ends], [("RELU", (201,), (202,), None)], inputs=[201], outputs=[202]),
        where="made",
    )
    for entry in made.subgraphs[0].tensors[1:201]:
        entry.buffer = made.subgraphs[0].tensors[0].buffer
    with pytest.raises(ModelError, match="constants share more bytes"):
        read_model(pack(made), where="shared")


def test_subgraphs_that_call_one_another_without_end_are_refused():
    made = unpack(branching(), where="branching")
    made.subgraphs[1].operators = made.subgraphs[0].operators
    made.subgraphs[1].tensors = made.subgraphs[0].tensors
    with pytest.raises(ModelError, match="calls itself"):
        read_model(pack(made), where="circular")


def test_subgraphs_that_call_one_another_too_often_are_refused():
    # Each of 40 subgraphs runs the next one twice.
    graphs = tuple(
        Subgraph(
            name="",
            tensors=(),
            inputs=(),
            outputs=(),
            ops=(
                Op(
                    index=0,
                    name="IF",
                    version=1,
                    inputs=(),
                    outputs=(),
                    options=dict.fromkeys(("then_subgraph_index", "else_subgraph_index"), place + 1),
                ),
            )
            if place < 39
            else (),
        )
        for place in range(40)
    )
    assert "40 deep" in find_call_problem(graphs)
    assert find_call_problem(graphs[-5:-4]) == "operator 0 IF calls subgraph 36 of 1"


def test_a_tensor_larger_than_any_memory_is_refused():
    huge = model(
        [tensor((2**31 - 1,) * 3), tensor((1,))], [("RELU", (0,), (1,), None)], inputs=[0], outputs=[1]
    )
    with pytest.raises(ModelError, match="larger than any memory"):
        read_model(huge, where="huge")


def test_a_type_that_the_schema_does_not_have_is_refused_by_its_number():
    made = unpack(SMALL, where="dense")
    made.subgraphs[0].tensors[0].type = 99
    with pytest.raises(ModelError, match="type is 99"):
        read_model(pack(made), where="dense")


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
