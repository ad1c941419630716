"""The functions of an LSTM's gates, for every value that they can be given, and what it remembers."""

import subprocess

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program
from edgeprune.firmware.c.layer import read_template
from edgeprune.firmware.c.sigmoid import make_sigmoid_table
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import int8, random_inputs
from tests.firmware.c.examples_matrices import lstm
from tests.firmware.c.test_ops import SANITIZERS, needs_gcc

EVERY = np.arange(-32768, 32768, dtype=np.int16)

PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#define EDGEPRUNE_INLINE static inline
struct edgeprune_channel { int32_t bias, multiplier, offset, shift; };
%s
static const int32_t table[256] = {%s};
int main(void)
{
    for (int32_t value = INT16_MIN; value <= INT16_MAX; ++value) {
        const int16_t result = (int16_t)(%s);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
"""


def run_kernel(call, directory):
    names = ("clamp", "multiply", "wrapping", "rescale", "interpolate", "lstm")
    kernels = "\n".join(read_template(f"kernels/{name}.h") for name in names)
    (directory / "every.c").write_text(PROGRAM % (kernels, ", ".join(map(str, make_sigmoid_table())), call))
    flags = ("-O1", "-std=c99", "-w", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    subprocess.run(["gcc", *flags, "every.c", "-o", "every"], cwd=directory, check=True)
    ended = subprocess.run([directory / "every"], capture_output=True, check=True)
    return np.frombuffer(ended.stdout, np.int16)


def run_op(name):
    tensors = [
        tensor((1, EVERY.size), "INT16", scale=1 / 4096, name="input"),
        tensor((1, EVERY.size), "INT16", scale=1 / 32768, name="output"),
    ]
    data = model(tensors, [(name, (0,), (1,), None)], inputs=[0], outputs=[1])
    return run_tflm(data, (EVERY.reshape(1, 1, -1),)).outputs[0].raw.reshape(-1)


@needs_gcc
@pytest.mark.parametrize(
    ("op", "call"),
    [("LOGISTIC", "lstm_logistic(table, value)"), ("TANH", "lstm_tanh(table, value, 3, 0)")],
)
def test_every_value_is_as_tflm_computes_it(op, call, tmp_path):
    np.testing.assert_array_equal(run_kernel(call, tmp_path), run_op(op))


@needs_gcc
@pytest.mark.parametrize("value", ["value * 16384", "value * 16384 - 1", "value * 16387"])
@pytest.mark.parametrize("factor", ["1 << 30, -14", "1 << 30, 0", "1518500250, -14", "1073741825, -21"])
def test_products_are_rounded_as_tflm_rounds_them(value, factor, tmp_path):
    call = f"lstm_rescale({value}, {factor}) != rescale({value}, {factor})"
    assert not run_kernel(call, tmp_path).any()


@needs_gcc
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M7", "Cortex-M55"])
def test_the_state_moves_on_with_each_inference(core, tmp_path):
    example = lstm("lstm", steps=2)
    # Two ops with the same states are two inferences.
    more = [int8((1, 2, 6), zero_point=3), int8((1, 2, 5), scale=0.008, zero_point=-5)]
    first, second = len(example.tensors), len(example.tensors) + 1
    ops = [
        (example.op, example.inputs, example.outputs, example.options),
        (example.op, (first, *example.inputs[1:]), (second,), example.options),
    ]
    data = model([*example.tensors, *more], ops, inputs=[0, first], outputs=[*example.outputs, second])
    inputs = random_inputs(read_model(data, where="lstm"))
    engine = write_engine(data, directory=tmp_path, core=core)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    for ours, theirs in zip(outputs, run_tflm(data, inputs).outputs, strict=True):
        np.testing.assert_array_equal(ours.reshape(-1), theirs.raw.reshape(-1))
