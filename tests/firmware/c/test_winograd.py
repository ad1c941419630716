"""Winograd's kernel: exact on any shape, and chosen where it saves instructions and flash allows it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import real_model

from edgeprune.device.profile import load_profile
from edgeprune.firmware.c import graph, winograd
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.firmware.c.layer import Constant, Faster, Layer
from edgeprune.firmware.c.room import (
    CODE_HIGH,
    Room,
    bound_tflm_arena,
    choose_faster,
    find_room,
    guess_code_bytes,
)
from edgeprune.firmware.c.window import Window
from edgeprune.firmware.c.winograd import (
    _list_starts,
    count_instructions,
    find_slack_bytes,
    pack_winograd,
    transform_weights,
)
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join, random_inputs
from tests.firmware.c.examples_windows import behind_pad, conv_2d
from tests.firmware.c.test_ops import SANITIZERS, needs_gcc, needs_qemu, wrong_outputs

KERNELS = {"winograd_put", "winograd_put_any"}
B = np.array([[1, 0, 0, 0], [0, 1, -1, 1], [-1, 1, 1, 0], [0, 0, 0, -1]])
A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])


def window(*, batches=1, in_h=8, in_w=8, in_c=8, out_c=8, pad=1):
    return Window(
        batches=batches,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=in_h - 2 + 2 * pad,
        out_w=in_w - 2 + 2 * pad,
        out_c=out_c,
        kernel_h=3,
        kernel_w=3,
        stride_h=1,
        stride_w=1,
        dilation_h=1,
        dilation_w=1,
        pad_top=pad,
        pad_left=pad,
    )


def random_examples(seed, *, count=8):
    """Convolutions of which no size is a multiple of what is computed at once, some behind a PAD."""
    rng = np.random.default_rng(seed)
    for place in range(count):
        height, width, inputs, outputs = (int(each) for each in rng.integers((4, 6, 4, 4), (9, 12, 23, 15)))
        example = conv_2d(
            f"{height}x{width}x{inputs} to {outputs}",
            image=(height, width, inputs),
            outputs=outputs,
            batches=int(rng.integers(1, 3)),
            padding=("SAME", "VALID")[place % 2],
            zeros=tuple(int(zero) for zero in rng.integers(-128, 128, 2)),
            activation=("NONE", "RELU", "RELU6")[place % 3],
            out_scale=(None, None, 1e-4)[place % 3],  # one whose factors are large
            largest=128 if place % 4 == 0 else 127,
            seed=place,
        )
        yield behind_pad(example, ((1, 0), (2, 1))) if place % 4 == 3 else example


def list_kernels(engine):
    return [KERNELS & set(step.layer.kernels) for step in engine.program.steps]


@pytest.fixture
def everywhere(monkeypatch):
    """Winograd's kernel wherever it is possible, whatever it takes."""
    monkeypatch.setattr(winograd, "count_instructions", lambda _: 0.0)
    monkeypatch.setattr(graph, "bound_tflm_arena", lambda _: 1 << 40)


def test_the_middle_weight_goes_to_the_four_elements_in_the_middle():
    weights = np.zeros((1, 3, 3, 1), np.int64)
    weights[0, 1, 1, 0] = 5
    assert transform_weights(weights)[0, :, :, 0].tolist() == [
        [0, 0, 0, 0],
        [0, 5, -5, 0],
        [0, -5, 5, 0],
        [0, 0, 0, 0],
    ]


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_four_times_the_sums_come_out_of_numbers_of_16_bits(seed):
    """For extreme weights and inputs, the formula as the header has it."""
    rng = np.random.default_rng(seed)
    inputs, weights = rng.choice([-128, 127], (4, 4)), rng.choice([-128, 127], (3, 3))
    transformed, tile = transform_weights(weights[None, :, :, None])[0, :, :, 0], B.T @ inputs @ B
    assert max(abs(transformed).max(), abs(tile).max()) <= 9 * 128
    sums = [[(inputs[y : y + 3, x : x + 3] * weights).sum() for x in range(2)] for y in range(2)]
    np.testing.assert_array_equal(A.T @ (transformed * tile) @ A, 4 * np.array(sums))


def test_weights_lie_in_the_order_in_which_they_are_read():
    """Six inputs: of the second group, inputs 2 to 5, the first two have been there before."""
    weights = np.zeros((4, 3, 3, 6), np.int64)
    weights[:, 0, 0] = np.arange(1, 25).reshape(4, 6)  # the first of 16 elements is four times that
    halves = pack_winograd(weights).view("<i2").reshape(1, 16, 2, 2, 4, 2)
    assert (halves[0, 0] // 4).tolist() == [
        [[[1, 3], [7, 9], [13, 15], [19, 21]], [[2, 4], [8, 10], [14, 16], [20, 22]]],
        [[[0, 5], [0, 11], [0, 17], [0, 23]], [[0, 6], [0, 12], [0, 18], [0, 24]]],
    ]


def test_output_channels_that_do_not_fill_a_block_take_others_with_them():
    weights = np.arange(6)[:, None, None, None] * np.ones((6, 3, 3, 4), np.int64)
    halves = pack_winograd(weights).view("<i2").reshape(2, 16, 1, 2, 4, 2)
    assert (halves[:, 0, 0, 0, :, 0] // 4).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]


def run_exactly(examples, *, directory):
    """The engine of the examples for a Cortex-M7; run here, it gives what TFLM gives."""
    data, names = join(examples)
    inputs = random_inputs(read_model(data, where="examples"))
    engine = write_engine(data, directory=directory, core="Cortex-M7")
    program = build_host_program(engine, directory=directory / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    expected = [output.raw for output in run_tflm(data, inputs).outputs]
    assert not wrong_outputs(names, outputs, expected)
    return engine


@needs_gcc
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_exact_on_random_shapes(seed, tmp_path):
    engine = run_exactly(random_examples(seed), directory=tmp_path)
    assert all(list_kernels(engine))


@needs_gcc
@pytest.mark.usefixtures("everywhere")
def test_one_odd_channel_is_exact_at_any_place_of_its_block(tmp_path):
    examples = [conv_2d(f"odd at {place}", image=(4, 4, 4), outputs=8) for place in range(8)]
    for place, example in enumerate(examples):
        for each, scale in ((example.tensors[1], 3.0), (example.tensors[2], 3.0 * 0.05)):
            each.quantization.scale[place] = scale
    engine = run_exactly(examples, directory=tmp_path)
    assert all(kernels == KERNELS for kernels in list_kernels(engine))


@needs_qemu
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    ("core", "seed"),
    [("Cortex-M7", 3), ("Cortex-M4", 4), pytest.param("Cortex-M33", 5, marks=pytest.mark.nightly)],
)
def test_it_is_exact_on_the_cores_themselves(core, seed, tmp_path):
    data, names = join(random_examples(seed))
    inputs = random_inputs(read_model(data, where="random"))
    engine = write_engine(data, directory=tmp_path, core=core)
    assert KERNELS in list_kernels(engine)
    assert {"winograd_put"} in list_kernels(engine)
    board = find_board(core)
    elf, _ = build_image(engine, directory=tmp_path / "image", board=board)
    run = run_image(elf, inputs, model=engine.program.model, board=board)
    expected = [output.raw for output in run_tflm(data, inputs).outputs]
    assert not wrong_outputs(names, run.outputs, expected)


@needs_gcc
@pytest.mark.usefixtures("everywhere")
def test_sums_on_the_way_may_outgrow_32_bits(tmp_path):
    """Weights in the corners of 9000 channels: of the first element 9000 * 4 * 127 * 510 exceeds 2^31."""
    weights = np.zeros((4, 3, 3, 9000), np.int8)
    weights[:, 0, 0], weights[:, 2, 2] = 127, -128
    example = conv_2d(
        "corners", image=(4, 6, 9000), outputs=4, padding="VALID", weights=weights, out_scale=250.0
    )
    data, names = join([example])
    y, x = np.indices((4, 6)) // 2
    images = np.random.default_rng(0).integers(-128, 128, (3, 1, 4, 6, 9000)).astype(np.int8)
    images[0] = np.where((y + x) % 2, -128, 127)[:, :, None]
    images[1] = np.where((y + x) % 2, 127, -128)[:, :, None]
    engine = write_engine(data, directory=tmp_path, core="Cortex-M7")
    assert all(list_kernels(engine))
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, (images,), model=engine.program.model)
    expected = [output.raw for output in run_tflm(data, (images,)).outputs]
    assert not wrong_outputs(names, outputs, expected)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("channels", "is_possible"), [(3669, True), (3670, False)])
def test_it_is_left_out_where_four_times_a_sum_may_outgrow_32_bits(channels, is_possible, tmp_path):
    """4 * 128 * 9 * 127 * 3670 is more than 2^31."""
    weights = np.full((4, 3, 3, channels), 127, np.int8)
    data, _ = join([conv_2d("deep", image=(2, 4, channels), outputs=4, weights=weights, out_scale=900.0)])
    engine = write_engine(data, directory=tmp_path, core="Cortex-M7")
    assert bool(list_kernels(engine)[0]) == is_possible


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "changed",
    [
        {"stride": (2, 2)},
        {"dilation": (2, 2)},
        {"kernel": (5, 5)},
        {"image": (8, 8, 3)},
        {"outputs": 3},
        {"image": (8, 3, 8)},
        {"groups": 2},
    ],
)
def test_other_windows_are_left_as_they_are(changed, tmp_path):
    data, _ = join([conv_2d("other", **{"image": (8, 8, 8), "outputs": 8, **changed})])
    engine = write_engine(data, directory=tmp_path, core="Cortex-M7")
    assert not any(list_kernels(engine))


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"in_h": 7, "in_w": 9},
        {"in_w": 4, "in_h": 2},
        {"pad": 0, "in_h": 5, "in_w": 7, "out_c": 20},
        {"batches": 3, "in_h": 5, "in_w": 6, "out_c": 4},
    ],
)
def test_an_output_over_the_input_overwrites_nothing_that_is_still_read(shape):
    """Bytes read and written step by step, and one byte later something would be lost."""
    at = window(**shape)
    slack = find_slack_bytes(at)
    assert not _is_clobbered(at, slack)
    assert _is_clobbered(at, slack + 1) or (at.batches, at.out_h, at.out_w) == (1, 2, 4)


def _is_clobbered(at, start):
    size = at.in_h * at.in_w * at.in_c
    holds = np.ones(at.batches * size, bool)
    rows, columns = _list_starts(at.out_h, 2), _list_starts(at.out_w, 4)
    for image, y, x in product(range(at.batches), rows, columns):
        for row, column in product(range(4), range(6)):
            in_y, in_x = y - at.pad_top + row, x - at.pad_left + column
            if 0 <= in_y < at.in_h and 0 <= in_x < at.in_w:
                first = image * size + (in_y * at.in_w + in_x) * at.in_c
                if not holds[first : first + at.in_c].all():
                    return True
        for row, column in product(range(2), range(4)):
            first = start + ((image * at.out_h + y + row) * at.out_w + x + column) * at.out_c
            holds[max(first, 0) : max(first + at.out_c, 0)] = False
    return False


@needs_qemu
@pytest.mark.parametrize(("core", "most"), [("Cortex-M7", 0.345), ("Cortex-M4", 0.345)])
def test_resnet_8_takes_a_third_of_tflms_instructions(core, most, tmp_path):
    data = real_model("resnet8")
    engine = write_engine(data, directory=tmp_path, core=core)
    board = find_board(core)
    elf, sizes = build_image(engine, directory=tmp_path / "image", board=board)
    inputs = random_inputs(engine.program.model)
    run = run_image(elf, inputs, model=engine.program.model, board=board)
    np.testing.assert_array_equal(
        run.outputs[0].reshape(-1), run_tflm(data, inputs).outputs[0].raw.reshape(-1)
    )
    assert max(run.instructions) <= most * 29.87e6
    assert sizes.code <= 12 * 1024
    assert engine.program.plan.total_bytes < run_tflm(data, inputs).allocation.total_bytes


@needs_qemu
def test_the_law_tells_what_a_layer_takes(tmp_path):
    engine = write_engine(one_layer(), directory=tmp_path, core="Cortex-M7")
    assert all(list_kernels(engine))
    board = find_board("Cortex-M7")
    elf, _ = build_image(engine, directory=tmp_path / "image", board=board)
    run = run_image(elf, random_inputs(engine.program.model), model=engine.program.model, board=board)
    law = count_instructions(window(in_h=12, in_w=12, in_c=20, out_c=24))
    assert max(run.instructions) == pytest.approx(law, rel=0.08)


def one_layer():
    return join([conv_2d("conv", image=(12, 12, 20), outputs=24)])[0]


@pytest.mark.parametrize(
    ("core", "optimize", "is_chosen"),
    [
        ("Cortex-M7", "speed", True),
        ("Cortex-M7", "size", False),
        ("Cortex-M7", "ram", False),
        ("Cortex-M4", "speed", True),
        ("Cortex-M0+", "speed", False),
        ("Cortex-M55", "speed", False),
    ],
)
def test_it_is_chosen_for_speed_by_cores_with_smlad_alone(core, optimize, is_chosen, tmp_path):
    engine = write_engine(one_layer(), directory=tmp_path, core=core, optimize=optimize)
    assert bool(list_kernels(engine)[0]) == is_chosen


def test_it_is_left_out_where_it_is_slower(tmp_path):
    for place, example in enumerate(
        (
            conv_2d("few", image=(16, 16, 4), outputs=4),
            conv_2d("sparse", image=(8, 8, 32), outputs=32, sparsity=0.9),
        )
    ):
        engine = write_engine(join([example])[0], directory=tmp_path / str(place), core="Cortex-M7")
        assert not any(list_kernels(engine))


def offer(*, more_bytes, saves):
    """A layer of 100 bytes, and its faster twin."""

    def layer(size, faster=None):
        constant = Constant(name="weights", values=np.zeros(size, np.int8))
        return Layer(function="f", inputs=(), outputs=(), constants=(constant,), faster=faster)

    return layer(100, Faster(layer=layer(100 + more_bytes), saves=saves))


@pytest.mark.parametrize(("more_bytes", "places"), [(None, {0, 1, 2}), (0, set()), (350, {1}), (400, {1, 2})])
def test_what_saves_most_for_a_byte_goes_first(more_bytes, places):
    layers = (
        offer(more_bytes=1000, saves=2e6),
        offer(more_bytes=100, saves=1e6),
        offer(more_bytes=300, saves=2e6),
    )
    least = 300 + CODE_HIGH * guess_code_bytes(layers)
    flash_bytes = None if more_bytes is None else int(least) + more_bytes
    assert set(choose_faster(layers, flash_bytes=flash_bytes)) == places


@needs_qemu
def test_flash_stays_below_its_budget_and_time_falls_with_what_there_is(tmp_path):
    """ResNet-8 takes 91 KB with no layer by it, and 221 KB with all."""
    taken = []
    for kib in (60, 96, 108, 130, None):
        flash_bytes = None if kib is None else kib * 1024
        folder = tmp_path / str(kib)
        room = Room(flash_bytes=flash_bytes)
        engine = write_engine(real_model("resnet8"), directory=folder, core="Cortex-M7", room=room)
        board = find_board("Cortex-M7")
        elf, sizes = build_image(engine, directory=folder / "image", board=board)
        assert kib in (None, 60) or sizes.flash <= kib * 1024
        inputs = random_inputs(engine.program.model, samples=4)
        run = run_image(elf, inputs, model=engine.program.model, board=board)
        taken.append((max(run.instructions), sum(map(bool, list_kernels(engine)))))
    assert taken == sorted(taken, key=lambda each: (-each[0], each[1]))
    assert [layers for _, layers in taken] == [0, 0, 2, 3, 4]


def test_an_arena_that_outgrows_ram_is_no_choice(tmp_path):
    small = write_engine(one_layer(), directory=tmp_path / "small", core="Cortex-M7", optimize="size")
    large = write_engine(one_layer(), directory=tmp_path / "large", core="Cortex-M7")
    needed = large.program.static_bytes
    assert needed > small.program.static_bytes
    for ram_bytes, is_chosen in ((needed, True), (needed - 1, False)):
        room = Room(ram_bytes=ram_bytes)
        engine = write_engine(one_layer(), directory=tmp_path / str(ram_bytes), core="Cortex-M7", room=room)
        assert any(list_kernels(engine)) == is_chosen


def test_the_arena_stays_below_tflms(tmp_path, monkeypatch):
    """512 channels that are read of an image of 4x4: their tiles take 32 KiB, TFLM's arena in all 30."""
    data, _ = join([conv_2d("deep", image=(4, 4, 512), outputs=32)])
    engine = write_engine(data, directory=tmp_path / "bound", core="Cortex-M7")
    assert not any(list_kernels(engine))
    monkeypatch.setattr(graph, "bound_tflm_arena", lambda _: 1 << 40)
    free = write_engine(data, directory=tmp_path / "free", core="Cortex-M7")
    assert all(list_kernels(free))
    bound = bound_tflm_arena(free.program.model)
    assert engine.program.plan.total_bytes < bound < free.program.plan.total_bytes


def test_a_layer_that_takes_too_much_memory_leaves_the_others_theirs(tmp_path):
    """Side by side, one of them deep."""
    deep = conv_2d("deep", image=(4, 4, 512), outputs=32)
    data, _ = join([deep, conv_2d("shallow", image=(12, 12, 16), outputs=16)])
    engine = write_engine(data, directory=tmp_path, core="Cortex-M7")
    assert [bool(kernels) for kernels in list_kernels(engine)] == [False, True]


def test_room_is_what_budgets_and_memories_leave():
    profile = load_profile("cortex-m7")  # 256 KiB of flash and 128 KiB of RAM, of 2048 and 512
    assert find_room(profile) == Room(flash_bytes=256 * 1024, ram_bytes=128 * 1024 - 2048)
    free = replace(profile, budgets=replace(profile.budgets, flash_kib=None, ram_kib=None))
    assert find_room(free, golden_bytes=500) == Room(
        flash_bytes=2048 * 1024 - 500, ram_bytes=512 * 1024 - 2048
    )
