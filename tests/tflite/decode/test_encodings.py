"""Wire formats of TFLM's DECODE op, byte by byte, and there and back again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeprune.errors import ModelError
from edgeprune.tflite.decode.lut import decode_lut, encode_lut
from edgeprune.tflite.decode.prune import decode_prune, encode_prune
from edgeprune.tflite.decode.wire import Constant, Encoded, find_obstacle, read_constant
from edgeprune.tflite.model import Tensor


def tensor(values, *, scales=(), zero_points=None, axis=0, dtype=None):
    values = np.asarray(values)
    zero_points = np.zeros(len(scales)) if zero_points is None else zero_points
    return Tensor(
        index=0,
        name="weights",
        shape=values.shape,
        dtype=dtype or str(values.dtype),
        data=np.frombuffer(values.tobytes(), np.uint8),
        scales=np.array(scales, np.float32),
        zero_points=np.array(zero_points, np.int64),
        axis=axis,
    )


def int8(values):
    return np.array(values, np.int8)


def test_prune_stores_a_bit_for_each_weight_and_the_weights_that_are_not_zero():
    constant = read_constant(tensor(int8([0, 5, 0, 0, -1, 0, 0, 0, 0, 7])))
    encoded = encode_prune(constant)
    # 0100 1000  01(00 0000): the second, fifth and tenth weight are stored.
    assert encoded.data == bytes([0b01001000, 0b01000000])
    assert encoded.ancillary == bytes([2, 1, 0, 0, 1, *[0] * 11, 5, 255, 7])
    assert encoded.bytes == 2 + 19


def test_prune_leaves_out_what_equals_the_zero_point_of_its_channel():
    rows = int8([[3, 0], [4, 3]])
    # Channels along the first axis: zero points 3, 3 / 4, 4.
    first = encode_prune(read_constant(tensor(rows, scales=(1, 1), zero_points=(3, 4))))
    assert (first.data, first.ancillary[16:]) == (bytes([0b01010000]), bytes([0, 3]))
    # Along the last: zero points 3, 4 / 3, 4.
    last = encode_prune(read_constant(tensor(rows, scales=(1, 1), zero_points=(3, 4), axis=1)))
    assert (last.data, last.ancillary[16:]) == (bytes([0b01110000]), bytes([0, 4, 3]))


def test_one_zero_point_for_many_scales_is_that_of_every_channel():
    encoded = encode_prune(read_constant(tensor(int8([[2, 1], [1, 2]]), scales=(1, 1), zero_points=(2,))))
    assert (encoded.data, encoded.ancillary[16:]) == (bytes([0b01100000]), bytes([1, 1]))


def test_prune_stores_wide_elements_little_endian():
    encoded = encode_prune(read_constant(tensor(np.array([0, 258], np.int32))))
    assert (encoded.data, encoded.ancillary[16:]) == (bytes([0b01000000]), bytes([2, 1, 0, 0]))


def test_minus_zero_is_not_zero():
    encoded = encode_prune(read_constant(tensor(np.array([0.0, -0.0, 1.0], np.float32))))
    assert encoded.data == bytes([0b01100000])


def test_the_table_holds_each_value_once_and_indices_fill_their_bits():
    encoded = encode_lut(read_constant(tensor(int8([7, 1, 9, 7, 1]))))
    # Values 1, 7, 9 take indices of two bits: 01 00 10 01  00(00 0000).
    assert encoded.data == bytes([0b01001001, 0b00000000])
    assert encoded.ancillary == bytes([0, 1, 0, 0, 1, 2, 3, *[0] * 9, 1, 7, 9])


def test_indices_of_three_bits_run_over_the_edges_of_bytes():
    encoded = encode_lut(read_constant(tensor(int8([7, 0, 3, 2, 1, 4, 5, 6]))))
    # Eight values, so that an index is its value: 111 000 011 010 001 100 101 110.
    assert encoded.data == bytes([0b11100001, 0b10100011, 0b00101110])
    assert encoded.ancillary[4:7] == bytes([1, 3, 8])


def test_every_channel_has_a_table_and_the_longest_sets_the_stride():
    rows = int8([[5, 5, 5], [1, 2, 3]])
    first = encode_lut(read_constant(tensor(rows, scales=(1, 1))))
    # Tables 5 . . and 1 2 3; indices 00 00 00 00 01 10.
    assert first.data == bytes([0b00000000, 0b01100000])
    assert first.ancillary[5:7] == bytes([2, 3])
    assert first.ancillary[16:] == bytes([5, 0, 0, 1, 2, 3])
    last = encode_lut(read_constant(tensor(rows, scales=(1, 1, 1), axis=1)))
    # Columns (5, 1), (5, 2), (5, 3): tables 1 5, 2 5, 3 5; indices 1 1 1 0 0 0.
    assert (last.data, last.ancillary[16:]) == (bytes([0b11100000]), bytes([1, 5, 2, 5, 3, 5]))


def test_a_single_value_still_takes_a_bit():
    encoded = encode_lut(read_constant(tensor(int8([4, 4, 4]))))
    assert (encoded.data, encoded.ancillary[5:7], encoded.ancillary[16:]) == (b"\0", b"\1\1", b"\4")


def test_over_128_values_in_a_channel_have_no_table():
    assert encode_lut(read_constant(tensor(np.arange(-64, 64).astype(np.int8)))) is not None
    assert encode_lut(read_constant(tensor(np.arange(-64, 65).astype(np.int8)))) is None


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (tensor(int8([0] * 2), dtype="int4"), "not int4"),
        (tensor(np.zeros((2, 3, 2), np.int8), scales=(1, 1, 1), axis=1), "run along axis 1"),
        (tensor(np.zeros((2, 3), np.int8), scales=(1, 1, 1)), "3 scales for 2 channels"),
        (tensor(np.zeros(0, np.int8)), "no constant"),
    ],
)
def test_what_the_decoders_cannot_make_is_refused(odd, why):
    assert why in find_obstacle(odd)
    with pytest.raises(ModelError, match=why):
        read_constant(odd)


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.int16, 1), (np.int8, 200)])
def test_zero_points_that_the_decoder_refuses_are_not_pruned(dtype, zero_point):
    constant = read_constant(tensor(np.zeros(2, dtype), scales=(1,), zero_points=(zero_point,)))
    assert encode_prune(constant) is None
    assert encode_lut(constant) is not None


def test_one_scale_has_no_axis():
    one = read_constant(tensor(np.zeros((1, 2, 2, 1), np.int8), scales=(1,), axis=3))
    assert (one.channels, one.channel_last) == (1, False)


@st.composite
def constants(draw):
    dtype = draw(st.sampled_from(["bool", "int8", "int16", "int32", "int64", "float32"]))
    channels, depth = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    last = draw(st.booleans())
    palette = draw(st.lists(st.integers(-3, 3), min_size=1, max_size=4))
    generator = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    shape = (depth, channels) if last else (channels, depth)
    zero_points = draw(st.lists(st.integers(-2, 2), min_size=channels, max_size=channels))
    return tensor(
        generator.choice(palette, shape).astype(dtype),
        scales=(1,) * channels,
        zero_points=zero_points if dtype == "int8" else None,
        axis=1 if last else 0,
    )


def blank(constant):
    """What a decoder knows before it has decoded."""
    return Constant(
        bits=np.full_like(constant.bits, 77),
        zero_points=constant.zero_points,
        channel_last=constant.channel_last,
    )


@given(made=constants())
def test_pruned_constants_come_back(made):
    constant = read_constant(made)
    assert np.array_equal(decode_prune(encode_prune(constant), blank(constant)), constant.bits)


@given(made=constants())
def test_constants_in_tables_come_back(made):
    constant = read_constant(made)
    encoded = encode_lut(constant)
    assert np.array_equal(decode_lut(encoded, blank(constant)), constant.bits)


@given(width=st.integers(1, 7), seed=st.integers(0, 1000))
def test_indices_of_every_width_come_back(width, seed):
    values = np.random.default_rng(seed).integers(0, 1 << width, 333).astype(np.int8)
    values[: 1 << width] = np.arange(1 << width)
    constant = read_constant(tensor(values))
    encoded = encode_lut(constant)
    assert encoded.ancillary[5] == width
    assert len(encoded.data) == -(-333 * width // 8)
    assert np.array_equal(decode_lut(encoded, blank(constant)), constant.bits)


def test_a_damaged_encoding_does_not_come_back_unnoticed():
    constant = read_constant(tensor(int8([0, 5, 0, 6])))
    encoded = encode_prune(constant)
    flipped = Encoded(
        encoding="prune", data=bytes([encoded.data[0] ^ 0b1100_0000]), ancillary=encoded.ancillary
    )
    assert not np.array_equal(decode_prune(flipped, blank(constant)), constant.bits)
