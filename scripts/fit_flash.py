"""Turn link maps into `edgeprune/device/tables/flash.json`.

    python scripts/fit_flash.py MAPS [--write]

MAPS holds one folder per build, named like the build ("cortex-m7-cmsis-nn"), with the maps that GNU ld writes
(`-Wl,-Map=`) for images linked with `-ffunction-sections -fdata-sections -Wl,--gc-sections`:

    flags.txt               what was compiled with, one line
    base.map                the project of `edgeprune firmware --project cmake`, with no op registered
    ADD.map                 the same with ADD registered for all types; one file for each op
    ADD.int8.map            the same with the registration for int8 alone, where there is one
    whole/ADD+MEAN.map      several ops in one image, which the table is checked on

The linker keeps a section exactly if something that is kept refers to it, so what several ops keep is the
union of what each keeps alone. Sections that the same ops keep are one row of the table.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from edgeprune.device.flash import add_code

TABLE = Path(__file__).resolve().parents[1] / "edgeprune" / "device" / "tables" / "flash.json"
SOURCE = (
    "The CMake project that edgeprune firmware writes (a ResNet-8 with int8 inputs and outputs), linked once "
    "for each op, and once without any, against TFLM 90b983c, CMSIS-NN 4ab83cc and newlib-nano, with "
    "arm-none-eabi-gcc 12.2.1 and the project's own flags. Bytes are those of the kept sections in the link "
    "map. The baseline is all that the image without ops holds, start-up, console, wrapper and golden check "
    "included, less the arrays of the model and of the golden samples."
)
IN_FLASH = (".vectors", ".text", ".ARM.exidx", ".data")
NOT_CODE = re.compile(r"^\.rodata\.(edgeprune_model|kGolden\w+)$")

Section = tuple[str, str]


def read_map(path: Path) -> tuple[int, dict[Section, int]]:
    """Bytes of the image in flash, and of each section in it, by name and where needed object file."""
    text = path.read_text(encoding="utf-8")
    total, sizes, output, name = 0, dict[Section, int](), "", ""
    for line in text[text.index("Linker script and memory map") :].splitlines():
        if found := re.match(r"^(\.\S+)(?:\s+0x\w+\s+0x(\w+))?", line):
            output, name = found[1], ""
            total += int(found[2] or "0", 16) if output in IN_FLASH else 0
        if output not in IN_FLASH:
            continue
        if found := re.match(r"^ (\.\S+)\s*(.*)$", line):
            name, line = found[1], " " + found[2]
        if name and (found := re.match(r"^\s+0x\w+\s+0x(\w+) (\S.*)$", line)):
            # Functions and constants begin at multiples of 4, so the gap belongs to what is before it.
            section = identify(name, file=found[2])
            sizes[section] = sizes.get(section, 0) + -(-int(found[1], 16) // 4) * 4
            name = ""
    return total, {section: size for section, size in sizes.items() if size}


def identify(name: str, *, file: str) -> Section:
    """What tells a section from others: templates and inline functions are the same in whichever file."""
    mangled = re.search(r"\._Z\w+", name)
    local = mangled is None or "_GLOBAL__N_" in name or re.match(r"\._Z(L|N\w*?[a-z]L\d)", mangled[0])
    return (name, file.split("/")[-1]) if local else (name, "")


def build_table(folder: Path) -> tuple[int, dict[frozenset[str], int]]:
    """Bytes of the base, and of the sections that the same ops keep."""
    total, base = read_map(folder / "base.map")
    users: dict[Section, set[str]] = defaultdict(set)
    sizes: dict[Section, int] = {}
    for path in sorted(folder.glob("*.map")):
        if path.stem == "base":
            continue
        for section, size in read_map(path)[1].items():
            if section not in base:
                users[section].add(path.stem.replace(".", ":"))
                # Equal strings are stored once: what an op adds of them depends on the others.
                sizes[section] = min(size, sizes.get(section, size))
    atoms: dict[frozenset[str], int] = defaultdict(int)
    for section, ops in users.items():
        atoms[frozenset(ops)] += sizes[section]
    arrays = sum(size for (name, _), size in base.items() if NOT_CODE.match(name))
    return total - arrays, dict(atoms)


def check_table(folder: Path, *, base_bytes: int, atoms: Mapping[frozenset[str], int]) -> dict[str, float]:
    """Relative error of the code of each image that was linked with several ops."""
    errors = {}
    for path in sorted((folder / "whole").glob("*.map")):
        total, sections = read_map(path)
        true = total - sum(size for (name, _), size in sections.items() if NOT_CODE.match(name))
        ops = path.stem.replace(".", ":").split("+")
        errors[path.stem] = (base_bytes + add_code(ops, atoms)) / true - 1
    return errors


def write_table(
    builds: Mapping[str, Mapping[str, object]], atoms: Mapping[str, dict[frozenset[str], int]]
) -> None:
    """The table: a row names ops and gives bytes by build, in the order of the builds."""
    rows: dict[tuple[str, ...], list[int]] = {}
    for at, build in enumerate(builds):
        for ops, size in atoms[build].items():
            rows.setdefault(tuple(sorted(ops)), [0] * len(builds))[at] = size
    lines = [f"  [{json.dumps(' '.join(ops))}, {json.dumps(rows[ops])}]" for ops in sorted(rows)]
    head = json.dumps({"source": SOURCE, "builds": builds}, indent=1).removesuffix("\n}")
    TABLE.write_text(head + ',\n "atoms": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")


def main() -> None:
    """Read the maps, print the errors on images with several ops, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("maps", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    builds: dict[str, dict[str, object]] = {}
    atoms: dict[str, dict[frozenset[str], int]] = {}
    for folder in sorted(path for path in arguments.maps.iterdir() if (path / "base.map").exists()):
        base_bytes, atoms[folder.name] = build_table(folder)
        errors = check_table(folder, base_bytes=base_bytes, atoms=atoms[folder.name])
        worst = max(map(abs, errors.values()), default=0.0)
        builds[folder.name] = {
            "flags": (folder / "flags.txt").read_text(encoding="utf-8").strip(),
            "baseline_bytes": base_bytes,
            "error": round(worst, 4),
        }
        print(
            f"{folder.name:24} base {base_bytes:6}, {len(atoms[folder.name])} rows, {len(errors)} images with"
        )
        print(f"{'':24} several ops: off by {worst:.2%} at most")
    if arguments.write:
        write_table(builds, atoms)


if __name__ == "__main__":
    main()
