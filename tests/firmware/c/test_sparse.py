"""When weights of 0 are left out."""

import numpy as np
import pytest

from edgeprune.firmware.c import sparse
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.lanes import pack_parts, pack_sparse
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join, random_inputs
from tests.firmware.c.examples_matrices import fully_connected
from tests.firmware.c.examples_windows import conv_2d
from tests.firmware.c.test_ops import needs_qemu


def kernels_of(example, directory, *, core="Cortex-M7", optimize="speed"):
    data, _ = join([example])
    engine = write_engine(data, directory=directory, core=core, optimize=optimize)
    return {kernel for step in engine.program.steps for kernel in step.layer.kernels}


def test_zeros_are_stored_as_how_many_there_are():
    parts = pack_sparse(np.array([[0, 0, 5, 0, -7], [0, 0, 0, 0, 0]]), in_halves=False)
    assert parts.stream.tolist() == [2, 2, 5, 1, -7, 0, 0]
    assert parts.entries == 2


def test_a_gap_of_more_than_255_zeros_has_a_zero_of_its_own():
    weights = np.zeros((1, 600), np.int64)
    weights[0, 599] = 3
    stream = pack_sparse(weights, in_halves=False).stream.view(np.uint8).tolist()
    assert stream == [3, 255, 0, 255, 0, 87, 3, 0]


def test_a_part_ends_before_its_sum_outgrows_16_bits():
    parts = pack_parts(np.array([[100, -100, 100, 1]]))
    assert parts.stream.tolist() == [2 + 16 * 2, 100, -100, 100, 1, 0]
    assert parts.excess.tolist() == [2 * 0x8000]


def test_a_part_is_no_longer_than_half_a_byte_can_tell():
    stream = pack_parts(np.ones((1, 33), np.int64)).stream.view(np.uint8).tolist()
    assert stream == [0xFF, *[1] * 30, 3, 1, 1, 1, 0]


def test_a_part_of_32_bit_sums_is_as_long_as_a_byte_can_tell():
    stream = pack_sparse(np.full((1, 300), 127), in_halves=False).stream.view(np.uint8)
    assert (stream[0], stream[511]) == (255, 45)


@pytest.mark.parametrize(
    ("sparsity", "core", "is_sparse"),
    [
        (0.9, "Cortex-M7", True),
        (0.3, "Cortex-M7", False),
        (0.6, "Cortex-M0+", True),
        (0.0, "Cortex-M0+", False),
        (0.9, "Cortex-M55", False),
    ],
)
def test_zeros_are_left_out_where_that_is_faster(sparsity, core, is_sparse, tmp_path):
    example = conv_2d("conv", image=(8, 8, 16), outputs=16, sparsity=sparsity)
    used = kernels_of(example, tmp_path, core=core)
    assert bool(used & {"dot_sparse_1x8", "dot_sparse_1x8_dsp"}) == is_sparse


def test_zeros_are_left_out_for_size_where_that_is_slower(tmp_path):
    example = fully_connected("dense", inputs=128, outputs=32, sparsity=0.7)
    assert "dot_sparse_1x1" not in kernels_of(example, tmp_path)
    assert "dot_sparse_1x1" in kernels_of(example, tmp_path, optimize="size")
    half = fully_connected("dense", inputs=128, outputs=32, sparsity=0.4)
    assert "dot_sparse_1x1" not in kernels_of(half, tmp_path, optimize="size")


def test_zeros_are_kept_where_leaving_them_out_takes_memory(tmp_path):
    example = conv_2d("conv", image=(8, 8, 16), outputs=16, sparsity=0.9)
    assert "dot_sparse_1x8_dsp" not in kernels_of(example, tmp_path, optimize="ram")


@needs_qemu
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M7"])
@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.9])
def test_the_faster_weights_are_chosen(core, sparsity, tmp_path, monkeypatch):
    data, _ = join([conv_2d("conv", image=(12, 12, 16), outputs=24, sparsity=sparsity)])
    inputs = random_inputs(read_model(data, where="conv"))

    def count(name):
        engine = write_engine(data, directory=tmp_path / name, core=core)
        board = find_board(core)
        return count_layers(engine, inputs, directory=tmp_path / name / "image", board=board)[0].instructions

    counts = {"chosen": count("chosen")}
    for name, answer in (("dense", False), ("sparse", True)):
        monkeypatch.setattr(sparse, "is_better", lambda *_, answer=answer, **__: answer)
        counts[name] = count(name)
    assert counts["chosen"] <= 1.1 * min(counts["dense"], counts["sparse"])
