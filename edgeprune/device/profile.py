"""Device profiles: one TOML file per device, read into `Profile`.

A profile holds facts with their source, and default budgets with their reason. Adding a device is adding
a file to `device_profiles/`; a file of one's own is used by giving its path.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

from edgeprune.config.tables import TableError, parse_table, read_toml, ruled
from edgeprune.device.flashing import Emulator, Flashing, find_flashing_faults
from edgeprune.device.latency import Evidence, LatencyModel, find_latency_faults
from edgeprune.device.memory import Cache, Memory, find_memory_faults
from edgeprune.device.npu import Npu
from edgeprune.device.paces import (
    ACCELERATOR_CLOCK_MHZ,
    ACCELERATORS,
    CoreGroup,
    choose_cores,
    list_cores,
    load_pace,
)
from edgeprune.device.power import Power, find_power_faults
from edgeprune.errors import ProfileError, RecipeError, UnknownNameError


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeChoice:
    """What executes the artefact.

    Attributes:
        name: "tflm" or "c" (edgeprune's own C engine) on microcontrollers, "litert" on Linux and Android.
        version: version or date the numbers hold for.
        kernels: kernel library; "ethos-u" where an NPU executes what Vela compiles, and CMSIS-NN the rest.
        decodes: encodings of zeros that the runtime can use: "tflm-prune" (TFLM's DECODE operator: flash),
            "xnnpack-sparse" (time and file size), "vela" (the NPU's own weight compression: flash); empty
            where a zero buys nothing.
        round_to: channels are kept in multiples of this, because the kernels work in such steps.
    """

    name: str  # its backend, in `measuring`, is found by it, and checks what it needs of the profile
    version: str
    kernels: Literal["reference", "cmsis-nn", "esp-nn", "xnnpack", "ethos-u", "edgeprune", "gpu"]
    decodes: tuple[Literal["tflm-prune", "xnnpack-sparse", "vela"], ...] = ()
    round_to: int = ruled(low=1, high=64)


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetDefaults:
    """What an application usually leaves to the model; None where nothing is asked.

    Attributes:
        flash_kib: model and runtime code; on LiteRT the size of the file.
        ram_kib: arena, runtime data and stack; on LiteRT the peak memory of the interpreter.
        latency_ms: one inference.
        reason: why these numbers.
    """

    flash_kib: float | None = ruled(above=0, default=None)
    ram_kib: float | None = ruled(above=0, default=None)
    latency_ms: float | None = ruled(above=0, default=None)
    reason: str


ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a device may be called: it is the name of a file, too."""

FlashBuild = Literal[
    "",
    "cortex-m0plus-cmsis-nn",
    "cortex-m0plus-reference",
    "cortex-m3-cmsis-nn",
    "cortex-m3-reference",
    "cortex-m33-cmsis-nn",
    "cortex-m33-reference",
    "cortex-m4-cmsis-nn",
    "cortex-m4-reference",
    "cortex-m55-cmsis-nn",
    "cortex-m55-reference",
    "cortex-m7-cmsis-nn",
    "cortex-m7-reference",
]
"""Cores and kernel libraries whose linked code is in `tables/flash.json`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedCosts:
    """What any artefact costs on this device, on top of the model.

    Attributes:
        flash_build: build of the linked op sizes; "" where no interpreter is linked into an image.
        startup_bytes: flash for what the table's baseline lacks, for example a vendor's start-up library.
        static_ram_bytes: data of the runtime outside the arena.
        stack_bytes: the deepest stack of an inference.
        evidence: where these numbers come from.
        source: the measurement.
    """

    flash_build: FlashBuild = ""
    startup_bytes: int = ruled(low=0, default=0)
    static_ram_bytes: int = ruled(low=0)
    stack_bytes: int = ruled(low=0)
    evidence: Evidence
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A device: what it offers, what runs on it, what it costs.

    Attributes:
        id: the name on the command line, and of the file.
        name: for people.
        kind: microcontroller, phone or single-board computer.
        board: the board whose numbers it takes; for a generic profile, which board stands for the core.
        core: processor core.
        clock_mhz: clock of the core.
        memory: its memories.
        cache: its caches, if it has any.
        runtime: what executes the artefact.
        budgets: what a build may take that asks for nothing else.
        cores: the groups of its cores, fastest first, where its latency is by their work.
        gpu, phone_npu: their entries in the table of timed cores, where they are known.
        latency: how latency is estimated.
        costs: what any artefact costs, on top of the model.
        power: what the board draws while it computes, where that was measured.
        npu: the NPU that Vela compiles for, if it has one.
        flashing: how an image gets onto it.
        emulator: the machine that stands for it, if qemu has one.
        instructions: extensions that matter to kernels: "dsp", "mve", "fpu", "neon", "dotprod".
        sources: where the facts come from.
        unverified: facts that still need a look at the datasheet.
        facts: further facts, for people and for the firmware back ends.
    """

    id: str
    name: str
    kind: Literal["mcu", "phone", "sbc"]
    board: str
    core: str
    clock_mhz: float = ruled(above=0, high=1e5)
    memory: tuple[Memory, ...] = ()
    cache: Cache | None = None
    runtime: RuntimeChoice
    budgets: BudgetDefaults
    latency: LatencyModel
    costs: FixedCosts
    cores: tuple[CoreGroup, ...] = ()
    gpu: str = ""
    phone_npu: str = ""
    power: Power | None = None
    npu: Npu | None = None
    flashing: Flashing | None = None
    emulator: Emulator | None = None
    instructions: tuple[Literal["dsp", "mve", "fpu", "neon", "dotprod"], ...] = ()
    sources: tuple[str, ...]
    unverified: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def flash_kib(self) -> float | None:
        """All flash that may hold weights or code; None where it is no constraint (a phone's storage)."""
        flash = (m for m in self.memory if m.role == "flash" and ("weights" in m.holds or "code" in m.holds))
        return sum(memory.kib for memory in flash) or None

    @property
    def largest_ram_kib(self) -> float | None:
        """The largest contiguous block that may hold the arena; outside the chip only if none inside may."""
        inside = (m.block_kib for m in self.memory if "arena" in m.holds and not m.external)
        return max(inside, default=self.largest_any_ram_kib)

    @property
    def largest_any_ram_kib(self) -> float | None:
        """The same, memory outside the chip included: no arena can be larger."""
        return max((memory.block_kib for memory in self.memory if "arena" in memory.holds), default=None)


def _accelerators(profile: Profile) -> dict[str, str]:
    """Their entries in the table of paces; "" for those that it has not, or that nobody timed."""
    return {"gpu": profile.gpu, "npu": profile.phone_npu}


def core_groups(profile: Profile) -> tuple[CoreGroup, ...]:
    """The groups of a profile's cores, fastest first; one core where it has none; or its GPU or NPU."""
    if profile.latency.cores in ACCELERATORS:
        entry = _accelerators(profile)[profile.latency.cores]
        return (CoreGroup(count=1, core=entry, clock_mhz=ACCELERATOR_CLOCK_MHZ),)
    only = CoreGroup(count=1, core=profile.latency.table, clock_mhz=profile.clock_mhz)
    return profile.cores or (only,)


def latency_evidence(profile: Profile) -> str:
    """What an estimate of latency rests on: "measured", "borrowed", "assumed", or "none"."""
    law = profile.latency
    if law.by == "none":
        return "none"
    found = [law.evidence]
    if law.by == "work":
        core = core_groups(profile)[0].core
        paces = (load_pace(core, "float32"), load_pace(core, "int8"))
        found += [pace.evidence for pace in paces if pace is not None]
    return max(found, key=("measured", "borrowed", "assumed").index)


def use_cores(profile: Profile, choice: str) -> Profile:
    """The profile, its latency on other of its cores: "big", "little", a number of threads, "gpu" or "npu".

    Raises:
        RecipeError: it has none such, or its latency does not tell cores apart.
    """
    if profile.latency.by != "work":
        raise RecipeError(
            f"--cores is {choice}, but the latency of {profile.id} does not tell cores apart",
            fix="leave --cores away",
        )
    chosen = replace(profile, latency=replace(profile.latency, cores=choice))
    if choice in ACCELERATORS and not _accelerators(profile)[choice]:
        raise RecipeError(
            f"--cores is {choice}, but nobody timed the {choice.upper()} of {profile.id}",
            fix="use big, little or a number",
        )
    choose_cores(core_groups(chosen), choice)
    return chosen


@lru_cache(maxsize=1)
def list_profiles() -> tuple[Profile, ...]:
    """All profiles that ship with edgeprune, by id. Raises ProfileError if one is broken."""
    return tuple(_read(path) for _, path in sorted(_shipped().items()))


def list_ids() -> tuple[str, ...]:
    """Ids of the profiles that ship, without reading them."""
    return tuple(sorted(_shipped()))


def load_profile(name: str) -> Profile:
    """The profile of that id, or in that file.

    Args:
        name: an id such as "cortex-m7", or the path of a TOML file (it ends in .toml or holds a slash).

    Raises:
        UnknownNameError: no profile has that id.
        ProfileError: the file is missing or has errors; all are reported together.
    """
    return _read(find_profile(name))


def find_profile(name: str) -> Path:
    """The file of the profile of that id, or of that path. Raises UnknownNameError for an unknown id."""
    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        return path
    shipped = _shipped()
    if name not in shipped:
        raise UnknownNameError("device", name, shipped, listing="edgeprune devices list")
    return shipped[name]


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in _folder().glob("*.toml")}


@lru_cache(maxsize=1)
def _folder() -> Path:
    # A wheel carries the profiles inside the package; a source checkout has them beside it.
    package = Path(str(resources.files("edgeprune")))
    inside, beside = package / "device_profiles", package.parent / "device_profiles"
    return inside if inside.is_dir() else beside


def _read(path: Path) -> Profile:
    profile, errors = parse_profile(path)
    if profile is None:
        count = f"{len(errors)} errors: " if len(errors) > 1 else ""
        raise ProfileError(
            count + "; ".join(map(str, errors)),
            where=str(path),
            fix=f"correct it until 'edgeprune devices validate {path}' finds nothing"
            if path.is_file()
            else "check the path, or choose an id from 'edgeprune devices list'",
        )
    return profile


def parse_profile(path: Path) -> tuple[Profile | None, list[TableError]]:
    """The profile in a file, or None and all that is wrong with it, whatever its runtime asks for."""
    table, errors = read_toml(path)
    if errors:
        return None, errors
    profile, errors = parse_table(table, Profile)
    if profile is not None:
        errors = list(_inconsistencies(profile))
    return (None if errors else profile), errors


def _inconsistencies(profile: Profile) -> Iterator[TableError]:
    """What each value's type cannot tell: values that contradict or need one another."""
    latency, costs = profile.latency, profile.costs
    if not ID.fullmatch(profile.id):
        problem = f"is {profile.id!r}; an id has letters, digits, dots, hyphens and underscores"
        yield TableError(key="id", problem=problem)
    yield from find_latency_faults(latency)
    yield from _find_core_faults(profile)
    yield from find_memory_faults(profile.memory, profile.cache)
    if profile.flashing is not None:
        yield from find_flashing_faults(profile.flashing)
    if profile.power is not None:
        yield from find_power_faults(profile.power)
    if not costs.source:
        yield TableError(key="costs.source", problem="is empty; a number without a source is no fact")
    if not profile.sources:
        yield TableError(key="sources", problem="is empty; say where the facts come from")
    for key, budget, offered in (
        ("flash_kib", profile.budgets.flash_kib, profile.flash_kib),
        ("ram_kib", profile.budgets.ram_kib, profile.largest_ram_kib),
    ):
        if budget is not None and offered is not None and budget > offered:
            yield TableError(
                key=f"budgets.{key}", problem=f"is {budget:g}, more than the device has ({offered:g} KiB)"
            )
    if not profile.budgets.reason:
        yield TableError(key="budgets.reason", problem="is empty; default budgets need an explanation")


def _find_core_faults(profile: Profile) -> Iterator[TableError]:
    """What is wrong with the cores whose work is timed."""
    known = list_cores()
    named = {f"cores[{at}].core": group.core for at, group in enumerate(profile.cores)}
    accelerators = {"gpu": profile.gpu, "phone_npu": profile.phone_npu}
    named |= {key: entry for key, entry in accelerators.items() if entry}
    for key, core in named.items():
        if core not in known:
            yield TableError(key=key, problem=f"is '{core}'; there are paces for {', '.join(known)}")
    if profile.latency.by != "work":
        return
    if profile.cores and profile.cores[0].core != profile.latency.table:
        problem = f"is '{profile.cores[0].core}', but latency.table is '{profile.latency.table}'"
        yield TableError(key="cores[0].core", problem=problem)
    try:
        use_cores(profile, profile.latency.cores)
    except RecipeError as error:
        yield TableError(key="latency.cores", problem=f"is '{profile.latency.cores}'; {error.fix}")
