import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import dense_int8, model, real_model, tensor, unary

from edgeprune.errors import OpError, OutputError
from edgeprune.firmware.tflm import format_bytes, reserve_arena, write_tflm_package
from edgeprune.tflite.compress import encode
from edgeprune.tflite.ops import kinds_used
from edgeprune.tflite.read import read_model


def written(directory, data, **more):
    write_tflm_package(
        directory,
        tflite=data,
        model=read_model(data, where="made"),
        arena_bytes=1001,
        arena_size_bytes=1104,
        arena_evidence="TFLM's allocator, corrected to 32 bit (simulated)",
        **more,
    )
    return {path.name: path.read_text() for path in directory.iterdir()}


def parsed(source):
    return bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2}),", source))


@given(data=st.binary(max_size=200))
def test_the_c_array_parses_back(data):
    assert parsed(format_bytes(data)) == data
    assert all(line.count("0x") <= 12 for line in format_bytes(data).splitlines())


def test_the_file_holds_the_model_and_its_length(tmp_path):
    data = dense_int8()
    source = written(tmp_path, data)["model_data.cc"]
    assert parsed(source) == data
    assert f"g_model_data_len = {len(data)};" in source
    assert "alignas(16) const unsigned char g_model_data[]" in source


def test_the_arena_is_rounded_up_with_its_margin():
    # 1001 + 20 (2 %) is rounded up to 16; planning may need more, and other records come on top.
    assert reserve_arena(1001, planning_bytes=0) == 1024
    assert reserve_arena(1001, planning_bytes=2000) == 2000
    assert reserve_arena(1001, planning_bytes=2000, growth_bytes=1) == 2016


def test_the_header_says_how_large_the_arena_is_and_why(tmp_path):
    header = written(tmp_path, dense_int8())["arena_size.h"]
    assert "kTensorArenaSize = 1104;" in header
    assert "1001 bytes needed: TFLM's allocator, corrected to 32 bit (simulated)" in header
    assert "103 bytes of margin" in header


@pytest.mark.parametrize("name", ["resnet8", "kws", "lstm", "vww"])
def test_the_resolver_has_exactly_the_ops_of_the_model(tmp_path, name):
    data = real_model(name)
    header = written(tmp_path, data)["op_resolver.h"]
    ops = kinds_used(read_model(data, where=name))
    assert [line.split()[-1] for line in header.splitlines() if "resolver.Add" in line] == list(ops)
    assert f"kOpCount = {len(ops)};" in header


def test_int8_kernels_are_registered_with_their_headers(tmp_path):
    header = written(tmp_path, dense_int8())["op_resolver.h"]
    assert "AddFullyConnected(EDGEPRUNE_INT8_KERNEL(FULLY_CONNECTED))" in header
    assert '#include "tensorflow/lite/micro/kernels/fully_connected.h"' in header


def test_kernels_that_older_tflms_lack_are_guarded_by_a_newer_header(tmp_path):
    header = written(tmp_path, real_model("vww"))["op_resolver.h"]
    assert "AddPad(EDGEPRUNE_INT8_KERNEL_OF_2025(PAD))" in header
    guard, rest = header.split('__has_include("tensorflow/lite/micro/kernels/decode_state.h")')
    assert "kernels/pad.h" not in guard
    assert '#include "tensorflow/lite/micro/kernels/pad.h"' in rest


def test_the_decode_op_is_registered_beside_the_kernels_it_unpacks_for(tmp_path):
    header = written(tmp_path, encode(dense_int8(), tensors={1: "prune"}))["op_resolver.h"]
    assert "resolver.AddDecode());  // 1 x CUSTOM:TFLM_DECODE" in header
    assert "AddFullyConnected(EDGEPRUNE_INT8_KERNEL(FULLY_CONNECTED))" in header
    assert "kOpCount = 2;" in header


def test_float_kernels_are_registered_as_they_are(tmp_path):
    header = written(tmp_path, dense_int8(activation="FLOAT32", weights="FLOAT32"))["op_resolver.h"]
    assert "resolver.AddFullyConnected());" in header


def test_an_op_that_tflm_lacks_is_refused(tmp_path):
    with pytest.raises(OpError, match="GELU"):
        written(tmp_path, unary("GELU"))


def test_no_name_can_leave_its_comment(tmp_path):
    evil = 'x\n#error "out" \\'
    files = written(tmp_path, dense_int8(), provenance={"Device": evil})
    for text in files.values():
        assert not any(line.startswith("#error") for line in text.splitlines())
        assert "\\\n" not in text


def test_the_same_input_gives_the_same_files(tmp_path):
    assert written(tmp_path / "one", dense_int8()) == written(tmp_path / "two", dense_int8())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        written(tmp_path / "file", dense_int8())


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
def test_the_sources_that_need_no_tflm_compile(tmp_path):
    written(tmp_path, dense_int8(), provenance={"Device": "cortex-m7 \\"})
    main = tmp_path / "main.cc"
    main.write_text(
        '#include "arena_size.h"\n#include "model_data.h"\nstatic_assert(kTensorArenaSize == 1104);\n'
    )
    for source in ("model_data.cc", "main.cc"):
        subprocess.run(
            ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(tmp_path / source)],
            check=True,
        )


@pytest.mark.parametrize(
    ("arena", "planning", "growth", "reserved"),
    [
        # The margin: 1024 is 64 x 16; 2 % of it are 20 bytes, so 1044, of which 16 x 66 is the next multiple.
        (1024, 0, 0, 1056),
        # Planning: 1999 and 2001 lie to either side of 125 x 16.
        (1024, 1999, 0, 2000),
        (1024, 2001, 0, 2016),
        # Growth comes on top of the larger, and is rounded with it: 1044 + 12 is 66 x 16, 13 is more.
        (1024, 0, 12, 1056),
        (1024, 0, 13, 1072),
        (1024, 2000, 76, 2080),
        # Less than 50 bytes have a margin of less than one.
        (16, 0, 0, 16),
        (0, 0, 0, 0),
    ],
)
def test_what_is_reserved_is_the_next_multiple_of_16_of_margin_planning_and_growth(
    arena, planning, growth, reserved
):
    assert reserve_arena(arena, planning_bytes=planning, growth_bytes=growth) == reserved


@given(arena=st.integers(0, 1 << 24), planning=st.integers(0, 1 << 24), growth=st.integers(0, 1 << 12))
def test_a_reserved_arena_is_aligned_holds_what_is_needed_and_wastes_less_than_16_bytes(
    arena, planning, growth
):
    reserved = reserve_arena(arena, planning_bytes=planning, growth_bytes=growth)
    needed = max(arena + arena * 2 // 100, planning) + growth
    assert reserved % 16 == 0
    assert needed <= reserved < needed + 16


def test_the_resolver_of_a_model_without_ops_has_room_for_one_as_c_needs_it(tmp_path):
    data = model([tensor((1, 4))], [], inputs=[0], outputs=[0])
    assert "kOpCount = 1;" in written(tmp_path, data)["op_resolver.h"]
