"""The functions of an LSTM's gates, for every value that they can be given."""

import subprocess

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.firmware.c.layer import read_template
from edgeprune.firmware.c.ops.unidirectional_sequence_lstm import make_sigmoid_table
from edgeprune.runtimes.tflm_host import run_tflm
from tests.firmware.c.test_ops import needs_gcc

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
    kernels = "\n".join(
        read_template(f"kernels/{name}.h") for name in ("clamp", "multiply", "rescale", "lstm")
    )
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
