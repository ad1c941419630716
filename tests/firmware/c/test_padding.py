import pytest

from edgeprune.firmware.c.graph import compile_model
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join
from tests.firmware.c.examples_windows import behind_pad, conv_2d, depthwise

ONES = ((1, 1), (1, 1))


def compiled(*examples):
    model = read_model(join(examples)[0], where="examples")
    return compile_model(model, prefix="model", instructions="dsp")


@pytest.mark.parametrize("make", [conv_2d, depthwise])
def test_a_convolution_adds_the_margin_of_the_pad_before_it(make):
    program = compiled(behind_pad(make("conv", padding="VALID"), ONES))
    assert [step.op.name for step in program.steps] == [make("same").op]
    scratch = program.blocks[program.scratch_blocks[0]].size_bytes
    assert program.plan.total_bytes == scratch  # no tensor between them


@pytest.mark.parametrize(
    "example",
    [
        behind_pad(conv_2d("of another value", padding="VALID"), ONES, fill=0),
        behind_pad(conv_2d("as wide as the window", padding="VALID"), ((3, 0), (0, 0))),
        behind_pad(conv_2d("that pads again", padding="SAME"), ONES),
    ],
    ids=lambda example: example.name,
)
def test_a_pad_stays_where_the_convolution_cannot_add_its_margin(example):
    assert compiled(example).steps[0].op.name.startswith("PAD")
