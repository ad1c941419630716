"""LOG_SOFTMAX takes a logarithm in fixed point, bit for bit as TFLM defines it with gemmlowp's numbers."""

import subprocess

import numpy as np

from edgeprune.firmware.c.layer import read_template
from tests.firmware.c.test_ops import needs_gcc
from tests.firmware.c.test_reciprocal import multiply_high, reciprocal

FIRST, STEP = 1 << 19, 1048573  # 1 in Q12.19; a prime, so that all bits vary
LOG_2, ROOT, FOURTH_ROOT = 1488522236, 1518500250, 1805811301
PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#define EDGEPRUNE_INLINE static inline
%s
int main(void)
{
    for (int64_t x = %d; x <= INT32_MAX; x += %d) {
        const int32_t result = log_of_at_least_one((int32_t)x);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
"""


def shift(value: int, by: int) -> int:
    return max(-(1 << 31), min((1 << 31) - 1, value << by))


def logarithm(x: int) -> int:
    """Q12.19 to Q5.26: the power of two that is nearer, and a rational function of the rest."""
    zeros = 32 - x.bit_length()
    near = shift(multiply_high(shift(x, zeros - 1), ROOT), 1)
    zeros_of_root = 32 - multiply_high(x, ROOT).bit_length() - 1
    far = shift(x, zeros_of_root)
    power = max(((12 - zeros) << 25) + (1 << 23), ((12 - zeros_of_root) << 25) - (1 << 23))
    r = min(near, far)
    middle = (r + FOURTH_ROOT + 1) // 2
    q = 2 * (r - FOURTH_ROOT)
    square = multiply_high(q, q)
    numerator = multiply_high(q, r) + multiply_high(multiply_high(q, square), 117049297)
    inner = 1057819769 + q + multiply_high(127690142, square)
    denominator = multiply_high(middle, inner) + multiply_high(638450708, q)
    rounded = (numerator + 32 - (numerator < 0)) >> 6
    return shift(multiply_high(power, LOG_2) + multiply_high(rounded, reciprocal(denominator)), 1)


@needs_gcc
def test_the_logarithm_is_that_of_tflm(tmp_path):
    names = ("wrapping", "multiply", "rescale", "reciprocal", "leading_zeros", "logarithm")
    kernels = "\n".join(read_template(f"kernels/{name}.h") for name in names)
    (tmp_path / "every.c").write_text(PROGRAM % (kernels, FIRST, STEP))
    flags = ("-O1", "-std=c99", "-w", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    subprocess.run(["gcc", *flags, "every.c", "-o", "every"], cwd=tmp_path, check=True)
    ended = subprocess.run([tmp_path / "every"], capture_output=True, check=True)
    got = np.frombuffer(ended.stdout, np.int32)
    places = range(FIRST, 1 << 31, STEP)
    np.testing.assert_array_equal(got, [logarithm(x) for x in places])
    # And it is a logarithm.
    np.testing.assert_allclose(got / 2**26, np.log(np.array(places) / 2**19), atol=1e-5)
