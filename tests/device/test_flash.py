import dataclasses
import json
import sys
from pathlib import Path
from typing import get_args

import pytest

from edgeprune.device.flash import FlashTable, add_code, estimate_code, load_flash_table
from edgeprune.device.profile import FlashBuild
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.op_table import OPS

ROOT = Path(__file__).parents[2]
DENSE = OpShape(op="FULLY_CONNECTED", inputs=((1, 100),), output=(1, 10), filter=(10, 100))
CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")

MAP = """
Archive member included to satisfy reference by file (symbol)

Discarded input sections

 .text._ZN6tflite4GoneEv
                0x00000000      0x100 lib.a(gone.o)

Linker script and memory map

.text           0x00000000      {total:#x}
 *(.vectors)
 .vectors       0x00000000       0x40 startup.o
 *(.text .text.*)
 .text.main     0x00000040        0x6 main.o
 .text._ZN6tflite6SharedIaEEvv
                0x00000048       0x20 lib.a({first}.o)
 .text._ZN6tflite12_GLOBAL__N_14EvalEv
                0x00000068       0x30 lib.a({first}.o)
                                 0x40 (size before relaxing)
 *fill*         0x00000098        0x8
 .rodata.edgeprune_model
                0x000000a0     0x1000 model.o
 .rodata.kGoldenInput0
                0x000010a0      0x200 samples.o

.data           0x20000000        0x8 load address 0x000012a0
 .data          0x20000000        0x8 libc_nano.a(impure.o)

.bss            0x20000008      0x400
 .bss.arena     0x20000008      0x400 model.o
"""


@pytest.fixture(scope="module")
def fit():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import fit_flash
    finally:
        sys.path.pop(0)
    return fit_flash


def test_what_two_ops_keep_is_linked_once():
    atoms = {frozenset({"ADD"}): 100, frozenset({"ADD", "MUL"}): 30, frozenset({"MUL"}): 7}
    assert add_code(["ADD"], atoms) == 130
    assert add_code(["MUL"], atoms) == 37
    assert add_code(["ADD", "MUL"], atoms) == 137
    assert add_code([], atoms) == 0


def test_an_op_takes_its_int8_registration_only_where_all_its_uses_are_int8():
    atoms = {frozenset({"FULLY_CONNECTED"}): 300, frozenset({"FULLY_CONNECTED:int8"}): 200}
    table = FlashTable(build="x", flags="", baseline_bytes=1000, atoms=atoms, error=0.0)
    assert estimate_code([DENSE, DENSE], table).code_bytes == 1200
    mixed = dataclasses.replace(DENSE, dtype="float32")
    assert estimate_code([DENSE, mixed], table).code_bytes == 1300


def test_a_build_that_was_never_linked_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="cortex-m7-cmsis-nn"):
        load_flash_table("cortex-m8-cmsis-nn")


@pytest.mark.parametrize("build", [f"{core}-cmsis-nn" for core in CORES])
def test_every_op_that_a_project_can_register_was_linked(build):
    listed = frozenset().union(*load_flash_table(build).atoms)
    for kind in OPS.values():
        if kind.tflm_method is None or kind.name.startswith(("CUSTOM:Signal", "CUSTOM:ethos-u")):
            continue
        assert kind.name in listed
        assert kind.int8_header is None or f"{kind.name}:int8" in listed


def test_profiles_can_name_every_build_that_was_linked():
    tables = json.loads((ROOT / "edgeprune/device/tables/flash.json").read_text())
    assert set(get_args(FlashBuild)) == {"", *tables["builds"]}


def test_a_map_is_read_by_what_lies_in_flash(fit, tmp_path):
    path = tmp_path / "base.map"
    path.write_text(MAP.format(total=0x12A0, first="conv"))
    total, sections = fit.read_map(path)
    assert total == 0x12A0 + 8
    # Sizes are rounded up to words; what was discarded, or lies in RAM alone, is not there.
    assert sections == {
        (".vectors", "startup.o"): 0x40,
        (".text.main", "main.o"): 8,
        (".text._ZN6tflite6SharedIaEEvv", ""): 0x20,
        (".text._ZN6tflite12_GLOBAL__N_14EvalEv", "lib.a(conv.o)"): 0x30,
        (".rodata.edgeprune_model", "model.o"): 0x1000,
        (".rodata.kGoldenInput0", "samples.o"): 0x200,
        (".data", "libc_nano.a(impure.o)"): 8,
    }


def test_maps_become_a_base_and_what_ops_share(fit, tmp_path):
    base = MAP.format(total=0x12A0, first="conv")
    here = base.index(" .text._ZN6tflite6Shared")
    there = base.index(" *fill*")
    (tmp_path / "base.map").write_text(base[:here] + base[there:])
    (tmp_path / "ADD.map").write_text(MAP.format(total=0x12A0, first="add"))
    (tmp_path / "MUL.int8.map").write_text(MAP.format(total=0x12A0, first="mul"))
    base_bytes, atoms = fit.build_table(tmp_path)
    assert base_bytes == 0x12A0 + 8 - 0x1000 - 0x200
    # A template instance is the same from either file, a function of an unnamed namespace is not.
    assert atoms == {
        frozenset({"ADD", "MUL:int8"}): 0x20,
        frozenset({"ADD"}): 0x30,
        frozenset({"MUL:int8"}): 0x30,
    }


def test_an_image_that_the_table_does_not_explain_shows(fit, tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "ADD+MUL.int8.map").write_text(MAP.format(total=0x12A0, first="add"))
    true = 0x12A0 + 8 - 0x1000 - 0x200
    atoms = {frozenset({"ADD", "MUL:int8"}): 0x20, frozenset({"ADD"}): 0x30}
    found = fit.check_table(tmp_path, base_bytes=true - 0x50, atoms=atoms)
    assert found == {"ADD+MUL.int8": 0.0}
    found = fit.check_table(tmp_path, base_bytes=true, atoms=atoms)
    assert found["ADD+MUL.int8"] == pytest.approx(0x50 / true)


def test_one_use_that_is_not_int8_takes_the_whole_registration_wherever_it_stands():
    atoms = {frozenset({"FULLY_CONNECTED"}): 300, frozenset({"FULLY_CONNECTED:int8"}): 200}
    table = FlashTable(build="x", flags="", baseline_bytes=1000, atoms=atoms, error=0.0)
    mixed = dataclasses.replace(DENSE, dtype="float32")
    for ops in ([mixed, DENSE], [DENSE, mixed], [DENSE, mixed, DENSE]):
        assert estimate_code(ops, table).code_bytes == 1300


def test_an_op_that_was_never_linked_is_taken_for_12_kb_however_often_it_is_used():
    table = FlashTable(build="x", flags="", baseline_bytes=1000, atoms={}, error=0.25)
    code = estimate_code([DENSE, DENSE], table)
    assert (code.code_bytes, code.error, code.unlisted) == (13_000, 0.25, ("FULLY_CONNECTED",))
