import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.errors import ModelError
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.layer import EMITTERS
from edgeprune.tflite.op_table import FILTER_LAYOUTS
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, unpack
from edgeprune.tflite.validity.shapes import LAWS


def options(kind, **values):
    made = getattr(load_schema(), f"{kind}OptionsT")()
    vars(made).update(values)
    return made


def file(name, *ends, chosen=None, numbers=(), first=(), dtype="INT8"):
    """One op; the last of its ends is the output, and `numbers` and `first` are constants around inputs."""
    constants = [np.array(each, np.int32) for each in (*first, *numbers)]
    tensors = [tensor(end, dtype, scale=0.5) for end in ends]
    tensors += [tensor(each.shape, "INT32", data=each) for each in constants]
    inputs, output = list(range(len(ends) - 1)), len(ends) - 1
    places = [len(ends) + at for at in range(len(constants))]
    given = [*places[: len(first)], *inputs, *places[len(first) :]]
    return model(tensors, [(name, given, (output,), chosen)], inputs=inputs, outputs=[output])


STRIDES = options("StridedSlice")
TURNED = options("BatchMatMul", adjY=True)

RIGHT = {
    "RELU": file("RELU", (1, 6), (1, 6)),
    "RESHAPE": file("RESHAPE", (1, 6), (2, 3), numbers=([2, 3],)),
    "ADD": file("ADD", (1, 2, 3), (3,), (1, 2, 3), chosen=options("Add")),
    "CONCATENATION": file("CONCATENATION", (1, 2), (1, 3), (1, 5), chosen=options("Concatenation", axis=-1)),
    "SPLIT": file("SPLIT", (2, 4), (2, 4), first=(1,), chosen=options("Split", numSplits=1)),
    "UNPACK": file("UNPACK", (1, 4), (4,), chosen=options("Unpack", num=1)),
    "PACK": file("PACK", (4,), (4,), (2, 4), chosen=options("Pack", valuesCount=2)),
    "TRANSPOSE": file("TRANSPOSE", (1, 2, 3), (3, 1, 2), numbers=([2, 0, 1],)),
    "SLICE": file("SLICE", (4, 5), (2, 4), numbers=([1, 1], [2, -1])),
    "STRIDED_SLICE": file("STRIDED_SLICE", (5,), (3,), numbers=([0], [5], [2]), chosen=STRIDES),
    "PAD": file("PAD", (1, 2), (1, 5), numbers=([[0, 0], [1, 2]],)),
    "MEAN": file("MEAN", (1, 2, 3), (1, 3), numbers=([1],), chosen=options("Reducer")),
    "RESIZE_BILINEAR": file(
        *("RESIZE_BILINEAR", (1, 2, 2, 3), (1, 4, 6, 3)),
        numbers=([4, 6],),
        chosen=options("ResizeBilinear"),
    ),
    "BATCH_MATMUL": file("BATCH_MATMUL", (2, 3, 4), (5, 4), (2, 3, 5), chosen=TURNED),
}
WRONG = {
    "an output with more elements": file("RELU", (1, 6), (1, 7)),
    "other elements in another shape": file("RESHAPE", (1, 6), (2, 4), numbers=([2, 4],)),
    "a sum as large as no input": file("ADD", (1, 2, 3), (3,), (1, 4, 3), chosen=options("Add")),
    "inputs that do not go together": file("ADD", (1, 2), (1, 3), (1, 3), chosen=options("Add")),
    "a sum of three": file("ADD", (1, 2), (1, 2), (1, 2), (1, 2), chosen=options("Add")),
    "an axis that is not there": file(
        "CONCATENATION", (2,), (2,), (4,), chosen=options("Concatenation", axis=1)
    ),
    "pieces that are too long": file(
        "SPLIT", (2, 4), (2, 5), first=(1,), chosen=options("Split", numSplits=1)
    ),
    "too few pieces": file("UNPACK", (2, 4), (4,), chosen=options("Unpack", num=2)),
    "an order that names one twice": file("TRANSPOSE", (1, 2, 3), (1, 2, 2), numbers=([0, 1, 1],)),
    "a slice beyond the end": file("SLICE", (4, 5), (2, 4), numbers=([3, 1], [2, 4])),
    "a slice of fewer dimensions": file("SLICE", (1, 4, 5), (2, 4), numbers=([0, 1, 1], [1, 2, 4])),
    "a slice from before": file("SLICE", (4,), (2,), numbers=([-1], [2])),
    "a step of 0": file("STRIDED_SLICE", (5,), (3,), numbers=([0], [5], [0]), chosen=STRIDES),
    "a margin below 0": file("PAD", (1, 2), (1, 1), numbers=([[0, 0], [-1, 0]],)),
    "margins of too few dimensions": file("PAD", (1, 2), (1, 5), numbers=([[1, 2]],)),
    "a mean over no dimension": file("MEAN", (1, 2), (1,), numbers=([2],), chosen=options("Reducer")),
    "an image with other channels": file(
        *("RESIZE_BILINEAR", (1, 2, 2, 3), (1, 4, 6, 4)),
        numbers=([4, 6],),
        chosen=options("ResizeBilinear"),
    ),
    "rows that are not as long as columns": file("BATCH_MATMUL", (2, 3, 4), (4, 5), (2, 3, 5), chosen=TURNED),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_an_op_makes_can_be_opened(name):
    read_model(RIGHT[name], where=name)


@pytest.mark.parametrize("kind", WRONG)
def test_what_it_would_not_make_is_refused(kind):
    with pytest.raises(ModelError, match=r"operator 0 .*; convert the model again"):
        read_model(WRONG[kind], where="a file")


def test_the_sentence_says_both_shapes():
    with pytest.raises(ModelError, match=r"has tensor 2 of the shape \(1, 4, 3\) .* it would be \(1, 2, 3\)"):
        read_model(WRONG["a sum as large as no input"], where="a file")


def test_open_dimensions_are_judged_where_kernels_are_compiled_for_them(tmp_path):
    """LiteRT finds out what they are; the C engine has the file's word alone, and read beyond the input."""
    packed = unpack(WRONG["an output with more elements"], where="open")
    for each in packed.subgraphs[0].tensors:
        each.shapeSignature = np.array([-1, -1], np.int32)
    data = pack(packed)
    read_model(data, where="open")
    with pytest.raises(ModelError, match=r"with inputs of \(1, 6\) it would be \(1, 6\)"):
        write_engine(data, directory=tmp_path)


def test_every_op_that_the_c_engine_compiles_has_a_law():
    pools = {"AVERAGE_POOL_2D", "MAX_POOL_2D"}
    # Their emitters hold the ends of subgraphs, and the variable's uses, against each other.
    control = {"IF", "WHILE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
    assert set(EMITTERS) - LAWS.keys() == {*FILTER_LAYOUTS, *pools, *control}


@pytest.mark.parametrize("name", ["RESHAPE", "PAD", "CONCATENATION"])
def test_bytes_of_one_type_do_not_become_those_of_another(name):
    """RESHAPE gave the output four times the memory of the input."""
    packed = unpack(RIGHT[name], where=name)
    last = packed.subgraphs[0].outputs[0]
    packed.subgraphs[0].tensors[last].type = load_schema().TensorType.FLOAT32
    with pytest.raises(ModelError, match=f"operator 0 {name}: moves int8 of tensor 0 to or with float32"):
        read_model(pack(packed), where="a file")
