import pytest

from edgeprune.device.arena import ArenaInputs, tail_bytes
from edgeprune.device.flash import estimate_code, load_flash_table
from edgeprune.device.instructions import instructions_of, load_instruction_table
from edgeprune.device.kernels.decoding import decode_instructions, load_decode_costs, name_loop
from edgeprune.device.kernels.scratch import scratch_bytes
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import Decoded, OpShape
from edgeprune.tflite.decode.wire import OP_NAME

CORES = ("cortex-m0plus", "cortex-m33", "cortex-m4", "cortex-m55", "cortex-m7")


def prune(elements, stored, **more):
    return Decoded(encoding="prune", dtype="int8", elements=elements, stored=stored, **more)


def lut(bits, **more):
    return Decoded(encoding="lut", **{"dtype": "int8", "elements": 100, "index_bits": bits, **more})


def decode(*made):
    return OpShape(op=OP_NAME, inputs=(), output=(64, 64), decoded=made)


# Counted in the emulator, in ticks of 40 ns with 32 ns for each instruction.
@pytest.mark.parametrize(
    ("core", "made", "ticks"),
    [
        ("cortex-m7", prune(4096, 804), 46691),
        ("cortex-m7", prune(576, 101, channel_last=True), 6704),
        ("cortex-m4", prune(4096, 4096), 52596),
        ("cortex-m0plus", prune(4096, 2080), 47767),
        ("cortex-m7", lut(5, elements=4096), 80467),
    ],
)
def test_instructions_are_within_3_percent_of_what_was_counted(core, made, ticks):
    assert decode_instructions(decode(made), core=core) == pytest.approx(ticks * 40 / 32, rel=0.03)


@pytest.mark.parametrize("core", CORES)
def test_every_core_with_laws_prices_the_decode_op(core):
    op = decode(prune(1000, 100), lut(4))
    assert instructions_of(op, load_instruction_table(core)) == decode_instructions(op, core=core) > 14_000


def test_narrow_indices_of_int8_are_quick_where_a_channel_is_one_stretch():
    assert [name_loop(lut(bits)) for bits in (1, 2, 3, 4, 5)] == ["lut", *["lut_quick"] * 3, "lut"]
    assert name_loop(lut(4, channel_last=True)) == name_loop(lut(4, dtype="int16")) == "lut"


def test_a_core_without_a_table_is_named():
    with pytest.raises(UnknownNameError, match="cortex-m3"):
        load_decode_costs("cortex-m3")


def test_the_decode_op_brings_its_code():
    table = load_flash_table("cortex-m7-cmsis-nn")
    dense = OpShape(op="FULLY_CONNECTED", inputs=((1, 2),), output=(1, 3), filter=(3, 2))
    alone, both = (estimate_code(ops, table) for ops in ([dense], [dense, decode(prune(6, 1))]))
    # 21,936 bytes were found by linking FULLY_CONNECTED with and without it for a Cortex-M4.
    assert both.code_bytes - alone.code_bytes == pytest.approx(21_936, rel=0.02)
    assert both.unlisted == ()


def test_the_records_of_a_decode_op_are_counted():
    empty = ArenaInputs(ops=(), buffers=(), tensor_count=4)
    two = ArenaInputs(ops=(decode(prune(64, 8), lut(4)),), buffers=(), tensor_count=4)
    # 32 for the node, two pointers in 16, and 40 and 36 bytes of decoders in 48 each.
    assert tail_bytes(two, "reference") - tail_bytes(empty, "reference") == 32 + 16 + 48 + 48
    skewed = ArenaInputs(ops=(decode(prune(64, 8, zero_point_bytes=20)),), buffers=(), tensor_count=4)
    assert tail_bytes(skewed, "reference") - tail_bytes(empty, "reference") == 32 + 16 + 48 + 32


def test_sums_of_decoded_weights_are_scratch_on_cores_with_vectors():
    shape = {"op": "FULLY_CONNECTED", "inputs": ((1, 8),), "output": (1, 32), "filter": (32, 8)}
    kept, made_anew = OpShape(**shape), OpShape(**shape, weights_decoded=True)
    assert (scratch_bytes(kept, "cmsis-nn mve"), scratch_bytes(made_anew, "cmsis-nn mve")) == ((), (128,))
    kept, made_anew = (
        tail_bytes(ArenaInputs(ops=(op,), buffers=(), tensor_count=4), "cmsis-nn mve")
        for op in (kept, made_anew)
    )
    # 128 bytes of sums go, the handle of the scratch buffer takes 16.
    assert kept - made_anew == 128 - 16
