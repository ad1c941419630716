import numpy as np
import pytest

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Tensor, constant_values


def constant(dtype, shape, raw, **more):
    return Tensor(index=3, name="w", shape=shape, dtype=dtype, data=np.array(raw, np.uint8), **more)


def test_int4_is_unpacked_low_half_first_with_its_sign():
    # 0x1f: first -1 (0xf), then 1; 0x08: first -8, then padding.
    assert constant_values(constant("int4", (3,), [0x1F, 0x08])).tolist() == [-1, 1, -8]


def test_int2_is_unpacked_low_bits_first_with_its_sign():
    # 0b11_10_01_00, from the lowest: 0, 1, -2, -1.
    assert constant_values(constant("int2", (2, 2), [0b11100100])).tolist() == [[0, 1], [-2, -1]]


def test_wide_integers_are_little_endian():
    assert constant_values(constant("int32", (1,), [1, 2, 0, 0])).tolist() == [513]


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (Tensor(index=0, name="x", shape=(1,), dtype="int8"), "not a constant"),
        (constant("int8", (3,), [1, 2]), "holds 2 bytes, its shape needs 3"),
        (constant("int8", (2,), [1, 2], is_sparse=True), "sparse"),
        (constant("string", (0,), []), "string"),
    ],
)
def test_what_is_no_dense_constant_is_refused(tensor, reason):
    with pytest.raises(ModelError, match=reason):
        constant_values(tensor, where="some.tflite")


def test_bytes_round_up_to_whole_ones():
    assert Tensor(index=0, name="x", shape=(3,), dtype="int4").bytes == 2
    assert Tensor(index=0, name="x", shape=(2, 3), dtype="int16").bytes == 12
