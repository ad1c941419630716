"""Devices for people: a table of many, and all that is known of one."""

from collections.abc import Iterable, Iterator, Sequence

from edgeprune.device.latency import LatencyModel
from edgeprune.device.memory import Memory
from edgeprune.device.npu import Npu
from edgeprune.device.paces import NUMBERS, describe_cores, load_pace, widen
from edgeprune.device.profile import Profile, core_groups, latency_evidence
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import NOTHING, format_quantity


def format_devices(profiles: Sequence[Profile], *, of: int) -> str:
    """A table of devices, at most 80 columns wide, and how many they are.

    Args:
        profiles: the devices to list.
        of: how many they were chosen from.
    """
    has_flash = any(profile.kind == "mcu" for profile in profiles)
    columns = (
        Column(heading="device"),
        Column(heading="core", wrap=True),
        Column(heading="MHz", align="right"),
        Column(heading="kernels"),
        Column(heading="flash", align="right") if has_flash else Column(heading="latency"),
        Column(heading="RAM", align="right"),
    )
    rows = [
        [
            profile.id,
            profile.core,
            f"{profile.clock_mhz:g}",
            profile.runtime.kernels,
            _format_kib(profile.flash_kib) if has_flash else latency_evidence(profile),
            _format_kib(profile.largest_ram_kib),
        ]
        for profile in profiles
    ]
    note = (
        f"{len(profiles)} of {of} devices. RAM is the largest block that may hold the tensor arena; "
        f"{'' if has_flash else 'latency is what its estimate rests on; '}"
        "'edgeprune devices show ID' has all memories, budgets and sources."
    )
    return f"{format_table(columns, rows)}\n\n{wrap(note)}"


def describe_choice(profiles: Sequence[Profile], *, runtimes: Iterable[str]) -> str:
    """What can be asked for, where nothing is as asked; `runtimes` are those of all the profiles."""
    cores = ", ".join(sorted({profile.core for profile in profiles}))
    small = [profile for profile in profiles if profile.kind == "mcu"]
    ram = _format_kib(max(profile.largest_ram_kib or 0.0 for profile in small))
    flash = _format_kib(max(profile.flash_kib or 0.0 for profile in small))
    return wrap(
        f"None of {len(profiles)} devices is like that. Cores: {cores}. Runtimes and kernels: "
        f"{', '.join(sorted(set(runtimes)))}. "
        f"Microcontrollers have up to {ram} of RAM in one block and {flash} of flash."
    )


def format_device(profile: Profile) -> str:
    """All a profile says, in sections."""
    sections = [
        f"{profile.id}: {profile.name}\n{_list(_describe_device(profile))}",
        f"Memories\n{_tabulate_memories(profile.memory)}",
        f"Budgets of a build that asks for no others\n{_list(_describe_budgets(profile))}",
        f"Latency\n{_list(_describe_latency(profile))}",
        f"Costs of any artefact\n{_list(_describe_costs(profile))}",
    ]
    if profile.flashing or profile.emulator:
        sections.append(f"Flashing\n{_list(_describe_flashing(profile))}")
    if profile.facts:
        sections.append(f"Further facts\n{_list(profile.facts.items())}")
    sections.append(f"Sources\n{_enumerate(profile.sources)}")
    if profile.unverified:
        sections.append(f"Not verified\n{_enumerate(profile.unverified)}")
    return "\n\n".join(sections)


def _describe_device(profile: Profile) -> Iterator[tuple[str, str]]:
    runtime = profile.runtime
    yield "board", profile.board
    extensions = f" with {', '.join(profile.instructions)}" if profile.instructions else ""
    yield "core", f"{profile.core}{extensions} at {profile.clock_mhz:g} MHz"
    if profile.cache:
        sizes = (
            ("instructions", profile.cache.instruction_kib),
            ("data", profile.cache.data_kib),
            ("flash outside the chip", profile.cache.xip_kib),
        )
        known = ", ".join(f"{_format_kib(kib)} for {what}" for what, kib in sizes if kib)
        yield "cache", f"{known or 'size not known'} ({profile.cache.source})"
    yield "runtime", f"{runtime.name} with {runtime.kernels} kernels: {runtime.version}"
    yield "", f"decodes {', '.join(runtime.decodes) or 'nothing'}; channels in steps of {runtime.round_to}"
    yield from _describe_npu(profile.npu)


def _describe_npu(npu: Npu | None) -> Iterator[tuple[str, str]]:
    if npu:
        yield "NPU", f"{npu.accelerator} at {npu.clock_mhz:g} MHz, {npu.system_config}, {npu.memory_mode}"
        yield "", npu.source


def _tabulate_memories(memories: Sequence[Memory]) -> str:
    columns = (
        Column(heading="memory", wrap=True),
        Column(heading="address"),
        Column(heading="size", align="right"),
        Column(heading="holds", wrap=True),
        Column(heading="reads", wrap=True),
        Column(heading="note", wrap=True),
    )
    rows = [
        [
            memory.name,
            NOTHING if memory.address is None else f"0x{memory.address:08x}",
            _format_kib(memory.kib),
            ", ".join(memory.holds),
            _describe_reads(memory),
            _describe_note(memory),
        ]
        for memory in memories
    ]
    return format_table(columns, rows)


def _describe_reads(memory: Memory) -> str:
    parts = [
        *(["external"] if memory.external else []),
        *(["cached"] if memory.cached else []),
        *([] if memory.wait_states is None else [f"{memory.wait_states} wait states"]),
    ]
    return ", ".join(parts) or NOTHING


def _describe_note(memory: Memory) -> str:
    whole = memory.block_kib == memory.kib
    return "; ".join(filter(None, ("" if whole else f"largest block {memory.block_kib:g} KiB", memory.note)))


def _describe_budgets(profile: Profile) -> Iterator[tuple[str, str]]:
    budgets = profile.budgets
    yield "flash", _format_kib(budgets.flash_kib)
    yield "RAM", _format_kib(budgets.ram_kib)
    yield "latency", format_quantity(budgets.latency_ms, "ms")
    yield "", budgets.reason


def _describe_latency(profile: Profile) -> Iterator[tuple[str, str]]:
    law = profile.latency
    if law.by == "work":
        yield from _describe_work(profile)
        return
    if law.by == "none":
        yield "by", "none: it is not estimated"
    else:
        table = f" ({law.table})" if law.table else ""
        paces = "; ".join(_list_paces(law))
        yield "by", f"{law.by}{table}" + (f": {paces}" if paces else "")
        yield "interval", f"{law.low:.2f} to {law.high:.2f} times the estimate"
    yield law.evidence, law.source


def _describe_work(profile: Profile) -> Iterator[tuple[str, str]]:
    law, groups = profile.latency, core_groups(profile)
    scaled = "" if law.times == 1 else f", times {law.times:.3g}"
    yield "by", f"kinds of work: {describe_cores(groups, law.cores)}{scaled}"
    for group in groups:
        for number in NUMBERS:
            pace = load_pace(group.core, number)
            if pace is not None:
                low, high = widen(pace.low, law.low), widen(pace.high, law.high)
                reach = f"{low:.2f} to {high:.2f} times the estimate"
                yield f"{group.count} x", f"{group.core}, {number}: {reach}"
    if profile.gpu:
        yield "gpu", profile.gpu
    if profile.phone_npu:
        yield "npu", profile.phone_npu
    yield law.evidence, law.source


def _list_paces(law: LatencyModel) -> Iterator[str]:
    if law.cycles_per_instruction:
        kinds = [f"{kind} {cycles:.2f}" for kind, cycles in law.cycles_by_kind.items()]
        kinds = kinds or [f"{law.cycles_per_instruction:.2f}"]
        yield f"cycles per instruction {', '.join(kinds)}"
    if law.ms_per_mac:
        yield f"{law.ms_per_mac:g} ms per MAC"
    if law.base_ms:
        yield f"{law.base_ms:g} ms in any case"
    if law.cycles_per_weight_byte:
        yield f"{law.cycles_per_weight_byte:.2f} cycles per byte of weights"
    if law.cycles_per_op:
        yield f"{law.cycles_per_op:.0f} cycles per op"
    if law.cached_weights_kib:
        yield (
            f"{law.cycles_per_fetched_byte:g} cycles per byte that is fetched anew, "
            f"from {law.cached_weights_kib:g} KiB of weights on"
        )


def _describe_costs(profile: Profile) -> Iterator[tuple[str, str]]:
    costs = profile.costs
    if costs.flash_build:
        yield "flash", f"{costs.startup_bytes} bytes for start-up, code as linked for {costs.flash_build}"
    yield "RAM", f"{costs.static_ram_bytes} bytes of data, {costs.stack_bytes} bytes of stack"
    yield costs.evidence, costs.source


def _describe_flashing(profile: Profile) -> Iterator[tuple[str, str]]:
    if profile.flashing:
        flashing = profile.flashing
        yield "method", f"{flashing.method} {flashing.target}".rstrip()
        if flashing.note:
            yield "", flashing.note
    if profile.emulator:
        note = f": {profile.emulator.note}" if profile.emulator.note else ""
        yield "emulator", f"qemu-system-arm -M {profile.emulator.machine}{note}"


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    """Names on the left, wrapped texts on the right."""
    rows = list(pairs)
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"  {name:{width}}{wrap(text, indent=' ' * (width + 2))}" for name, text in rows)


def _enumerate(lines: Sequence[str]) -> str:
    return "\n".join(wrap(f"- {line}", indent="  ") for line in lines)


def _format_kib(kib: float | None) -> str:
    """A size given in KiB."""
    return format_quantity(None if kib is None else kib * 1024, "bytes")
