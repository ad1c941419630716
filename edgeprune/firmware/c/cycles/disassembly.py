"""The instructions of an image: the kind of each, the registers it reads and when, and those it writes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.toolchain import run_tool

When = Literal["address", "operand", "late"]
"""What a register is read for: an address; an operand; a sum that is added to, or what is stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction.

    Attributes:
        address: where it lies.
        size: in bytes, 2 or 4.
        name: its mnemonic, without width and condition.
        kind: one of those in `_KINDS`, or "alu".
        reads: each register it reads, and what for.
        writes: registers that hold its result.
        updates: registers that hold the address it has moved on.
        registers: words that an instruction loads or stores by a list.
        conditional: whether it is a branch on a condition.
        shifted: whether an operand is shifted on its way.
    """

    address: int
    size: int
    name: str
    kind: str
    reads: tuple[tuple[str, When], ...] = ()
    writes: frozenset[str] = frozenset()
    updates: frozenset[str] = frozenset()
    registers: int = 0
    conditional: bool = False
    shifted: bool = False

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


_CONDITION = "(?:eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
_KINDS = (
    ("branch", f"b{_CONDITION}?|cbn?z"),
    ("call", "blx?"),
    ("jump", "bx|tb[bh]"),
    ("loop", "(le|dls|wls)(tp)?|lctp"),
    ("load_many", "ldm(ia|db)?|pop|vldm(ia|db)?|vpop"),
    ("store_many", "stm(ia|db)?|push|vstm(ia|db)?|vpush"),
    ("load_pair", "ldrd"),
    ("store_pair", "strd"),
    ("load", "ldr"),
    ("load_byte", "ldrs?[bh]"),
    ("store", "str[bh]?"),
    ("divide", "[su]div"),
    ("multiply_add", "ml[as]|sml[as]\\w+|smml[as]r?|uml?al|umaal"),
    ("multiply", "muls?|[su]mull|smul\\w+|smmulr?|smu[as]dx?"),
    ("shift", "(lsl|lsr|asr|ror|rrx)s?"),
    ("saturate", "[su]sat(16)?|qd?(add|sub)|u?q(add|sub)(8|16)|q?[su]?(asx|sax)"),
    ("pack", "[su]xta?[bh](16)?|[su]bfx|bf[ic]|pkh(bt|tb)|rev(16|sh)?|rbit|clz|sel|[su]h?(add|sub)(8|16)"),
    ("float_load", "vldr"),
    ("float_store", "vstr"),
    ("float_divide", "vdiv|vsqrt"),
    ("float_multiply_add", "vn?ml[as]|vfn?m[as]"),
    ("float_multiply", "vn?mul"),
    ("float", "v\\w+"),
)
_VECTOR_KINDS = (
    ("vector_load", "vldr[bhwd]|vld[24]\\d"),
    ("vector_store", "vstr[bhwd]|vst[24]\\d"),
    ("vector_system", "vctp|vpst\\w*|vpnot"),
    ("vector_multiply", "v\\w*mul\\w*|v\\w*ml[as]\\w*|vfm[as]\\w*|vaddl?va?|vcmp|vpt\\w*|vcvt\\w*"),
    ("vector", "v\\w+"),
)
_LINE = re.compile(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t(\S+)(?:\t([^@;]*))?")
_REGISTER = re.compile(r"\b(r\d+|sp|lr|ip|fp|sl|sb|[sdq]\d+)\b")
_RANGE = re.compile(r"\b([rsd])(\d+)-\1(\d+)\b")
_KEEPS_TARGET = re.compile("mov[sw]?|mvns?|negs|rsbs?|[su]xt[bh](16)?|rev(16|sh)?|rbit|clz|adr|v.*")
"""With one source given, these do not read what they write; `add r0, r1` does."""
_ADDS_TO_TARGET = re.compile(
    r"movt|bfi|[su]mlal\w*|umaal|vn?ml[as]|vmlas|vr?ml[as]l?davh?ax?|vfn?m[as]|vaddl?va|vsli|vsri|v\w*n[tb]"
)
_WITHOUT_TARGET = (
    *("branch", "call", "jump", "loop", "vector_system"),
    *("store", "store_pair", "store_many", "float_store", "vector_store"),
)
_COMPARES = re.compile("cmp|cmn|tst|teq|vcmp|vpt|it")
_TWO_TARGETS = re.compile("[su]mull|[su]mlal\\w*|umaal|ldrd|vr?ml[as]ldav\\w*")


def disassemble(elf: Path, *, board: EmulatedBoard) -> dict[int, Instruction]:
    """Address → instruction, of all sections of code.

    Args:
        elf: the image.
        board: what it was linked for.

    Raises:
        ToolMissingError: `arm-none-eabi-objdump` is not installed.
        ToolFailedError: it failed.
    """
    # It reads vector instructions only if it is told of them.
    architecture = ("-m", "armv8.1-m.main") if board.instructions == "mve" else ()
    text = run_tool("arm-none-eabi-objdump", "-d", *architecture, str(elf))
    found = (_read_line(line) for line in text.splitlines())
    return {each.address: each for each in found if each is not None}


def _read_line(line: str) -> Instruction | None:
    match = _LINE.match(line)
    if match is None or match[3].startswith("."):
        return None
    address, size = int(match[1], 16), 2 * len(match[2].split())
    return read_instruction(match[3], match[4] or "", address=address, size=size)


def read_instruction(mnemonic: str, operands: str, *, address: int = 0, size: int = 2) -> Instruction:
    """An instruction as objdump writes it.

    Args:
        mnemonic: for example "ldrb.w".
        operands: for example "r3, [r2], #1".
        address: where it lies.
        size: in bytes.
    """
    name = mnemonic.partition(".")[0]
    parts = [_RANGE.sub(_expand, part).strip() for part in _split(operands)]
    is_vector = re.search(r"\bq\d", operands) is not None or name in ("vctp", "vpst", "vpnot")
    name, kind = _find_kind(name, is_vector=is_vector)
    shifted = kind in ("alu", "pack") and re.search(r"\b(lsl|lsr|asr|ror) #", operands) is not None
    if name == "mov" and shifted:
        kind, shifted = "shift", False
    targets, sources = _part(name, kind, parts)
    bases = {r for part in parts for r in _moved(part, parts)}
    reads = [(r, _when(name, kind, position, parts)) for position, part in sources for r in _registers(part)]
    return Instruction(
        address=address,
        size=size,
        name=name,
        kind=kind,
        reads=tuple(reads),
        writes=frozenset(r for part in targets for r in _registers(part)),
        updates=frozenset(bases),
        registers=sum(2 if r[0] == "d" else 1 for r in _registers(parts[-1])) if "many" in kind else 0,
        conditional=kind == "branch" and name != "b",
        shifted=shifted,
    )


def _find_kind(name: str, *, is_vector: bool) -> tuple[str, str]:
    """The name without its condition, and the kind."""
    kinds = _VECTOR_KINDS if is_vector else _KINDS
    plain = re.sub(f"{_CONDITION}$", "", name)
    for each in (name, plain):
        for kind, pattern in kinds:
            if re.fullmatch(pattern, each):
                return each, kind
    return (name if name in ("movs", "teq", "bics", "mls", "adcs", "sbcs") else plain), "alu"


def _expand(match: re.Match[str]) -> str:
    letter, first, last = match[1], int(match[2]), int(match[3])
    return ", ".join(f"{letter}{number}" for number in range(first, last + 1))


def _split(operands: str) -> Iterator[str]:
    """Operands, parted at the commas outside brackets."""
    return (part for part in re.split(r",\s*(?![^\[{]*[\]}])", operands) if part)


def _registers(part: str) -> list[str]:
    return _REGISTER.findall(part)


def _part(name: str, kind: str, parts: list[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """What is written, and what is read with its place among the operands."""
    placed = list(enumerate(parts))
    if kind == "load_many":
        return parts[-1:], placed[:-1]
    if kind in _WITHOUT_TARGET or _COMPARES.match(name):
        return [], placed
    count = 2 if _TWO_TARGETS.fullmatch(name) else 1
    reads_target = _ADDS_TO_TARGET.fullmatch(name) is not None or (
        len(parts) == 2 and "load" not in kind and _KEEPS_TARGET.fullmatch(name) is None
    )
    return parts[:count], placed if reads_target else placed[count:]


def _moved(part: str, parts: list[str]) -> list[str]:
    """The base register, if this operand is an address that moves on."""
    is_last = part is parts[-1]
    if part.endswith("!") or (part.startswith("[") and part.endswith("]") and not is_last):
        return _registers(part)[:1]
    return []


def _when(name: str, kind: str, position: int, parts: list[str]) -> When:
    if "load" in kind or "store" in kind:
        return "address" if "[" in parts[position] or "many" in kind else "late"
    if kind == "multiply_add":
        adds = position < 2 if _TWO_TARGETS.fullmatch(name) else position == 3
        return "late" if adds else "operand"
    return "operand"
