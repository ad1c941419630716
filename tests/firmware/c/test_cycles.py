"""Cycles of instructions, as the published tables have them; and that a trace is the whole of a run."""

import pytest
from small_models import real_model

from edgeprune.errors import RecipeError
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.cycles.disassembly import read_instruction
from edgeprune.firmware.c.cycles.estimate import estimate_cycles, estimate_layers, find_timing
from edgeprune.firmware.c.cycles.timing import TIMINGS, count_cycles
from edgeprune.firmware.c.cycles.trace import Block, read_trace
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.runtimes.golden import draw_inputs
from tests.firmware.c.test_ops import needs_qemu

LOG = """
0x00000100:  2000       movs     r0, #0
0x00000102:  f000 f800  bl       #0x110

Trace 0: 0x7f00 [00800408/00000100/00000110/ff000200] edgeprune_model_invoke
0x00000110:  3001       adds     r0, #1
0x00000112:  d1fd       bne      #0x110

Trace 0: 0x7f01 [00800408/00000110/00000110/ff000200] model_add_0
Trace 0: 0x7f01 [00800408/00000110/00000110/ff000200] model_add_0
Trace 0: 0x7f01 [00800408/00000110/00000110/ff000200] model_add_0
0x00000200:  4770       bx       lr

Trace 0: 0x7f02 [00800408/00000200/00000110/ff000200] edgeprune_mark_layer
0x00000300:  4770       bx       lr

Trace 0: 0x7f03 [00800408/00000300/00000110/ff000200] main
""".splitlines()


def code(*lines, size=2):
    """Instructions one behind the other: "ldr r0, [r1]"."""
    parted = [line.partition(" ") for line in lines]
    return [
        read_instruction(name, operands, address=size * place, size=size)
        for place, (name, _, operands) in enumerate(parted)
    ]


def cycles(core, *lines, size=2):
    return count_cycles([code(*lines, size=size)], TIMINGS[core])


@pytest.mark.parametrize(
    ("line", "kind", "reads", "writes", "updates"),
    [
        ("ldrsb.w r3, [r2], #1", "load_byte", {"r2"}, {"r3"}, {"r2"}),
        ("str.w r0, [r1, r4, lsl #2]", "store", {"r0", "r1", "r4"}, set(), set()),
        ("ldmia.w r5!, {r0, r2-r4}", "load_many", {"r5"}, {"r0", "r2", "r3", "r4"}, {"r5"}),
        ("smlad r0, r1, r2, r0", "multiply_add", {"r0", "r1", "r2"}, {"r0"}, set()),
        ("smlal r0, r1, r2, r3", "multiply_add", {"r0", "r1", "r2", "r3"}, {"r0", "r1"}, set()),
        ("adds r0, #4", "alu", {"r0"}, {"r0"}, set()),
        ("mov.w lr, r2, asr #31", "shift", {"r2"}, {"lr"}, set()),
        ("movlt r1, r2", "alu", {"r2"}, {"r1"}, set()),
        ("cmp r1, r2", "alu", {"r1", "r2"}, set(), set()),
        ("le lr, 302", "loop", {"lr"}, set(), set()),
        ("ble.n 302", "branch", set(), set(), set()),
        ("vmladav.s8 r2, q0, q1", "vector_multiply", {"q0", "q1"}, {"r2"}, set()),
        ("vmladava.s8 r2, q0, q1", "vector_multiply", {"r2", "q0", "q1"}, {"r2"}, set()),
        ("vldrb.u8 q1, [r0], #16", "vector_load", {"r0"}, {"q1"}, {"r0"}),
    ],
)
def test_an_instruction_is_read_as_the_manual_has_it(line, kind, reads, writes, updates):
    (found,) = code(line)
    assert found.kind == kind
    assert {register for register, _ in found.reads} == reads
    assert found.writes == writes
    assert found.updates == updates


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["adds r0, r1, r2", "muls r3, r1"], 2),
        (["ldr r0, [r1]", "str r0, [r2]"], 4),
        (["push {r4, r5, r6, lr}"], 5),
    ],
)
def test_a_cortex_m0_plus_takes_what_its_manual_says(lines, expected):
    assert cycles("Cortex-M0+", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["ldr r0, [r1]", "adds r2, r0, r0"], 3),
        (["ldr r0, [r1]", "ldr r2, [r3]"], 3),
        (["ldr r0, [r1]", "ldr r2, [r3]", "ldr r4, [r5]", "str r6, [r7]"], 5),
        (["smlad r0, r1, r2, r0", "smlad r0, r3, r4, r0"], 2),
        (["ldrd r0, r1, [r2]"], 3),
        (["ldmia.w r5!, {r0, r2-r4}"], 5),
    ],
)
def test_a_cortex_m4_takes_what_its_manual_says(lines, expected):
    assert cycles("Cortex-M4", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["adds r0, r1, r2", "adds r3, r4, r5"], 1),
        (["adds r0, r1, r2", "adds r3, r0, r5"], 2),
        (["ldr r0, [r1]", "smlad r2, r3, r4, r2"], 1),
        (["smlad r0, r1, r2, r0", "smlad r0, r3, r4, r0"], 2),  # one multiplier, which passes sums on
        (["smlad r0, r1, r2, r0", "adds r3, r0, r0"], 3),  # the sum is there after two cycles
        (["ldrb r0, [r1]", "adds r2, r0, r0"], 3),  # bytes come a cycle later than words
        (["adds r0, r1, r2", "ldr r3, [r0]"], 3),  # addresses are wanted a cycle sooner
        (["adds r3, r4, r5", "sxtb16 r0, r1"], 2),  # which is never the second of a pair
    ],
)
def test_a_cortex_m7_issues_two_that_do_not_wait(lines, expected):
    assert cycles("Cortex-M7", *lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["vldrb.u8 q0, [r0], #16", "vmladava.s8 r2, q1, q2", "vldrb.u8 q3, [r1], #16"], 3),
        (["vldrb.u8 q0, [r0], #16", "vldrb.u8 q3, [r1], #16", "vldrb.u8 q4, [r3], #16"], 5),
        (["ldr.w r0, [r1]", "add.w r2, r0, r3"], 3),
    ],
)
def test_vectors_of_a_cortex_m55_overlap_where_their_units_differ(lines, expected):
    assert cycles("Cortex-M55", *lines, size=4) == expected


def test_a_branch_that_is_taken_fills_the_pipeline_anew():
    loop = [
        read_instruction("subs", "r0, #1", address=0),
        read_instruction("bne.n", "0", address=2),
    ]
    assert count_cycles([loop, loop], TIMINGS["Cortex-M0+"]) == 2 + 1 + 2


def test_a_loop_of_a_cortex_m55_goes_round_for_nothing():
    loop = [
        read_instruction("vldrb.u8", "q0, [r0], #16", address=0, size=4),
        read_instruction("vmladava.s8", "r2, q0, q1", address=4, size=4),
        read_instruction("le", "lr, 0", address=8, size=4),
    ]
    turns = [count_cycles([loop] * times, TIMINGS["Cortex-M55"]) for times in (1, 2, 3)]
    assert turns[2] - turns[1] == turns[1] - turns[0] == 2


def test_a_trace_is_parted_at_the_marks():
    (steps,) = read_trace(LOG)
    first, loop = Block(start=0x100, end=0x106), Block(start=0x110, end=0x114)
    assert steps == {(None, first): 1, (first, loop): 1, (loop, loop): 2}


def test_blocks_cost_as_often_as_they_ran():
    (steps,) = read_trace(LOG)
    lines = [("movs", "r0, #0", 0x100, 2), ("bl", "110", 0x102, 4)]
    lines += [("adds", "r0, #1", 0x110, 2), ("bne.n", "110", 0x112, 2)]
    found = {
        address: read_instruction(name, operands, address=address, size=size)
        for name, operands, address, size in lines
    }
    # movs 1, bl 3, and three turns of two cycles with a cycle for each of the two ways back
    assert estimate_cycles(steps, found, TIMINGS["Cortex-M0+"]) == 4 + 3 * 2 + 2


def test_a_core_without_a_table_is_named():
    with pytest.raises(RecipeError, match="Cortex-M3; cycles are estimated for Cortex-M0"):
        find_timing("Cortex-M3")


@needs_qemu
@pytest.mark.parametrize("core", ["Cortex-M7", "Cortex-M55"])
def test_the_blocks_that_ran_are_all_instructions_that_qemu_counts(core, tmp_path):
    engine = write_engine(real_model("ad01"), directory=tmp_path, core=core)
    inputs = draw_inputs(engine.program.model, samples=1, seed=0)
    board = find_board(core)
    counted = count_layers(engine, inputs, directory=tmp_path / "counted", board=board)
    layers = estimate_layers(engine, inputs, directory=tmp_path / "traced", board=board)
    assert [each.function for each in layers] == [each.function for each in counted]
    for mine, other in zip(layers, counted, strict=True):
        assert mine.instructions == pytest.approx(other.instructions, rel=0.02, abs=20)
    assert all(0.5 * each.instructions <= each.cycles <= 3 * each.instructions for each in layers)
