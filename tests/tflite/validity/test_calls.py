import numpy as np
import pytest
from tflite_mutations import branching

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack


def change(edit):
    packed = unpack(branching(), where="a file")
    edit(packed)
    return pack(packed)


def take_options(packed):
    packed.subgraphs[0].operators[0].builtinOptions = None
    packed.subgraphs[0].operators[0].builtinOptionsType = 0


def add_input(packed):
    operator = packed.subgraphs[0].operators[0]
    operator.inputs = np.append(operator.inputs, operator.inputs[-1]).astype(np.int32)


def take_output(packed):
    packed.subgraphs[2].outputs = packed.subgraphs[2].outputs[:0]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (take_options, r"operator 0 IF: names 0 subgraphs \(it runs 2\)"),
        (add_input, r"runs subgraph 1 as its branch, of 1 inputs and 1 outputs \(it needs 2 and 1\)"),
        (take_output, r"runs subgraph 2 as its branch, of 1 inputs and 0 outputs"),
    ],
)
def test_a_branch_that_is_not_there_or_takes_something_else_is_refused(edit, says):
    """Without its branches an IF ended check with 70."""
    with pytest.raises(ModelError, match=says):
        read_model(change(edit), where="a file")
