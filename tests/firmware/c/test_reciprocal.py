"""Softmax divides by a sum: 1 / (1 + x) in fixed point, bit for bit as gemmlowp defines it."""

import subprocess

import numpy as np

from edgeprune.firmware.c.layer import read_template
from tests.firmware.c.test_ops import needs_gcc

STEP = 262139  # a prime, so that all bits vary
PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#define EDGEPRUNE_INLINE static inline
%s
int main(void)
{
    for (int64_t x = 0; x <= INT32_MAX; x += %d) {
        const int32_t result = reciprocal_of_one_plus((int32_t)x);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
"""


def multiply_high(a: int, b: int) -> int:
    """Half of a doubled product's upper half, rounded to nearest, halves away from zero."""
    product = a * b
    nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
    return abs(nudged) // (1 << 31) * (1 if nudged >= 0 else -1)


def reciprocal(x: int) -> int:
    """Three steps of Newton and Raphson from 48/17 - 32/17 d, in Q2.29."""
    half = (x + (1 << 31)) >> 1
    quotient = 1515870810 + multiply_high(half, -1010580540)
    for _ in range(3):
        quotient += 4 * multiply_high(quotient, (1 << 29) - multiply_high(half, quotient))
    return min(2 * quotient, (1 << 31) - 1)


@needs_gcc
def test_the_reciprocal_is_that_of_gemmlowp(tmp_path):
    kernels = "\n".join(read_template(f"kernels/{name}.h") for name in ("multiply", "reciprocal"))
    (tmp_path / "every.c").write_text(PROGRAM % (kernels, STEP))
    flags = ("-O1", "-std=c99", "-w", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    subprocess.run(["gcc", *flags, "every.c", "-o", "every"], cwd=tmp_path, check=True)
    ended = subprocess.run([tmp_path / "every"], capture_output=True, check=True)
    got = np.frombuffer(ended.stdout, np.int32)
    expected = [reciprocal(x) for x in range(0, 1 << 31, STEP)]
    np.testing.assert_array_equal(got, expected)
    # And it is a reciprocal.
    x = np.arange(0, 1 << 31, STEP) / 2**31
    np.testing.assert_allclose(got / 2**31, 1 / (1 + x), atol=2e-8)
