"""What an artefact costs on a device: flash, RAM, instructions and latency, each with its provenance."""

from collections.abc import Sequence
from dataclasses import replace
from math import hypot

from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.flash import UNLISTED_OP_BYTES, estimate_code, load_flash_table
from edgeprune.device.instructions import (
    estimate_instructions,
    explain_unknown_turns,
    load_instruction_table,
)
from edgeprune.device.kernels.scratch import Kernels
from edgeprune.device.latency import (
    EXTERNAL_ARENA_REACH,
    EXTERNAL_ARENA_TIMES,
    LatencyModel,
    fetching_cycles,
    is_beyond_cache,
    spread,
    time_unfitted,
    total_cycles,
    weight_bytes,
)
from edgeprune.device.paces import describe_cores, mac_ms, time_ops, widen
from edgeprune.device.placement import is_external
from edgeprune.device.profile import Profile, core_groups
from edgeprune.graph.opshape import OpShape

_WEIGHT_BYTES = {"float32": 4}
_BESIDE_ARENA = (0.28, 1.24)
"""Least and most RAM beside the arena of 41 published firmwares of TFLM on a NUCLEO-L4R5ZI, 1.4 and 6.2 KiB,
over the 5 KiB that profiles state."""
_OTHER_KERNELS = (0.4, 1.5)
"""What other kernels' code may be of the code that stands in for it: reference kernels link 0.35 to 0.75
times what CMSIS-NN does (`tables/flash.json`), and another instruction set adds to that."""


def arena_kernels(profile: Profile) -> Kernels:
    """Whose scratch buffers the arena of this device holds."""
    if profile.runtime.kernels in ("cmsis-nn", "ethos-u"):
        if "mve" in profile.instructions:
            return "cmsis-nn mve"
        return "cmsis-nn dsp" if "dsp" in profile.instructions else "cmsis-nn plain"
    # ESP-NN asks for scratch buffers of its own; CMSIS-NN's are the nearest that is known.
    return "cmsis-nn dsp" if profile.runtime.kernels == "esp-nn" else "reference"


def estimate_linked(
    ops: Sequence[OpShape], *, tflite_bytes: int, arena: Figure, profile: Profile
) -> dict[str, Figure]:
    """All figures that need no run on the device, of a file in an image with the interpreter that runs it.

    Args:
        ops: the artefact's ops in the order they run.
        tflite_bytes: size of the file.
        arena: activations and records in bytes, from `predict_arena`.
        profile: the device.

    Returns:
        `tflite_bytes`, `flash_bytes`, `arena_bytes`, `ram_bytes`, `instructions` and `latency_ms`.
    """
    instructions = _instructions(ops, profile)
    return {
        "tflite_bytes": measure_size(tflite_bytes),
        "flash_bytes": _link(ops, tflite_bytes, profile),
        "arena_bytes": arena,
        "ram_bytes": estimate_ram(arena, profile),
        "instructions": instructions,
        "latency_ms": estimate_latency(ops, instructions=instructions, arena=arena, profile=profile),
    }


def estimate_mapped(
    ops: Sequence[OpShape], *, tflite_bytes: int, arena: Figure, profile: Profile
) -> dict[str, Figure]:
    """The same of a file that an operating system maps into memory, for an interpreter of the application's.

    Args:
        ops: the artefact's ops in the order they run.
        tflite_bytes: size of the file.
        arena: activations in bytes.
        profile: the device.
    """
    instructions = _instructions(ops, profile)
    return {
        "tflite_bytes": measure_size(tflite_bytes),
        "flash_bytes": Figure(
            value=float(tflite_bytes),
            unit="bytes",
            source="measured",
            evidence="size of the file; the runtime is part of the system or of the application",
        ),
        "arena_bytes": arena,
        "ram_bytes": _estimate_resident(ops, tflite_bytes=tflite_bytes, arena=arena, profile=profile),
        "instructions": instructions,
        "latency_ms": estimate_latency(ops, instructions=instructions, arena=arena, profile=profile),
    }


def measure_size(tflite_bytes: int) -> Figure:
    """The size of a file as a figure."""
    return Figure(value=float(tflite_bytes), unit="bytes", source="measured", evidence="size of the file")


def estimate_latency(
    ops: Sequence[OpShape], *, instructions: Figure, arena: Figure, profile: Profile
) -> Figure:
    """Milliseconds of one inference, unavailable with the reason where nothing measured supports it.

    Args:
        ops: the artefact's ops in the order they run.
        instructions: what they execute, from `estimate_linked`; its interval widens that of the law.
        arena: bytes of the arena: if only memory outside the chip holds it, everything is slower.
        profile: the device.
    """
    law = profile.latency
    if law.by == "none":
        return unavailable("latency_ms", law.source)
    if law.by == "vela":
        return unavailable("latency_ms", "an NPU executes the file that Vela makes of this one")
    if law.by == "macs":
        return _count_macs(ops, law)
    if law.by == "work":
        return _count_work(ops, profile)
    if instructions.value is None:
        return unavailable("latency_ms", instructions.evidence)
    table = load_instruction_table(law.table)
    figure = _time(total_cycles(ops, law, table), instructions=instructions, profile=profile)
    if any(is_beyond_cache(op, law) for op in ops):
        figure = _wait_for_flash(figure, ops, arena=arena, profile=profile)
    if arena.value is not None and is_external(arena.value, profile):
        figure = _slow_down(
            figure,
            times=EXTERNAL_ARENA_TIMES,
            low=1 / EXTERNAL_ARENA_REACH,
            high=EXTERNAL_ARENA_REACH,
            why=f"the arena lies outside the chip, taken as {EXTERNAL_ARENA_TIMES:g} times slower",
        )
    return figure


def _wait_for_flash(figure: Figure, ops: Sequence[OpShape], *, arena: Figure, profile: Profile) -> Figure:
    """The figure, its interval wider by what fetching weights again and again may take."""
    law = profile.latency
    table = load_instruction_table(law.table)
    beyond = [op for op in ops if is_beyond_cache(op, law)]
    waits = sum(fetching_cycles(op, law, table) * (op.turns or 0) for op in beyond)
    share = waits / total_cycles(ops, law, table)
    weights = sum(weight_bytes(op) for op in ops)
    room = max((m.block_kib for m in profile.memory if m.role == "ram" and not m.external), default=0.0)
    fits = arena.value is not None and weights + arena.value <= room * 1024
    way_out = ": copy the model to RAM" if fits else ""
    return _slow_down(
        figure,
        low=1 - share * (1 - 1 / law.fetching_reach),
        high=1 + share * (law.fetching_reach - 1),
        why=(
            f"the weights of {len(beyond)} ops fill the {law.cached_weights_kib:g} KiB cache of the external "
            f"flash and are fetched anew in each sweep, which takes {share:.0%} of the time{way_out}"
        ),
    )


def _count_macs(ops: Sequence[OpShape], law: LatencyModel) -> Figure:
    """Milliseconds by multiply-accumulates; what ops outside the fit may take widens the interval."""
    assert law.ms_per_mac is not None
    if (unknown := explain_unknown_turns(ops)) is not None:
        return unavailable("latency_ms", unknown)
    macs = sum(op.macs * (op.turns or 0) for op in ops)
    least = sum(op.macs * op.least_turns for op in ops)
    value = law.base_ms + macs * law.ms_per_mac
    low, _ = spread(law.base_ms + least * law.ms_per_mac, law)
    _, high = spread(value, law)
    beside, unfitted = time_unfitted(ops, ms_per_mac=law.ms_per_mac)
    guessed = f"; not in the fit, up to {beside:.2g} ms more: {', '.join(unfitted)}" if unfitted else ""
    return Figure(
        value=value,
        unit="ms",
        source="estimated",
        evidence=(
            f"{macs} MACs x {law.ms_per_mac:g} ms + {law.base_ms:g} ms ({law.evidence}): {law.source}"
            f"{guessed}"
        ),
        low=low,
        high=high + beside,
    )


def _count_work(ops: Sequence[OpShape], profile: Profile) -> Figure:
    """Milliseconds by kinds of work, on the cores that the law names."""
    law, groups = profile.latency, core_groups(profile)
    if (unknown := explain_unknown_turns(ops)) is not None:
        return unavailable("latency_ms", unknown)
    timing = time_ops(ops, groups, law.cores)
    if timing.untimed:
        return unavailable("latency_ms", f"nobody timed {', '.join(timing.untimed)} on {groups[0].core}")
    if timing.is_beyond:
        reason = f"networks timed on {groups[0].core} do fewer multiply-accumulates with each weight"
        return unavailable("latency_ms", reason)
    beside, unfitted = time_unfitted(ops, ms_per_mac=mac_ms(groups, law.cores) * law.times)
    guessed = f"; not in the fit, up to {beside:.2g} ms more: {', '.join(unfitted)}" if unfitted else ""
    return Figure(
        value=timing.ms * law.times,
        unit="ms",
        source="estimated",
        evidence=f"{describe_cores(groups, law.cores)} ({timing.evidence}): {timing.source}{guessed}",
        low=timing.least_ms * law.times * widen(timing.low, law.low),
        high=max(timing.ms * law.times * widen(timing.high, law.high) + beside, timing.shortest_ms),
    )


def time_instructions(instructions: Figure, profile: Profile) -> Figure:
    """Milliseconds in which the core executes so many instructions, whatever they belong to."""
    if instructions.value is None:
        return unavailable("latency_ms", instructions.evidence)
    assert profile.latency.cycles_per_instruction is not None
    cycles = instructions.value * profile.latency.cycles_per_instruction
    return _time(cycles, instructions=instructions, profile=profile)


def _time(cycles: float, *, instructions: Figure, profile: Profile) -> Figure:
    """Cycles at the profile's clock; the interval is that of the law and of the count behind the cycles."""
    law, count = profile.latency, instructions.value
    assert count is not None
    value = cycles / (profile.clock_mhz * 1e3)
    low, high = spread(value, law, down=_gap(instructions.low, count), up=_gap(instructions.high, count))
    pace = f"{cycles / count:.3g} cycles per instruction" if count else "no instructions"
    return Figure(
        value=value,
        unit="ms",
        source="estimated",
        evidence=f"{pace} at {profile.clock_mhz:g} MHz ({law.evidence}): {law.source}",
        low=low,
        high=high,
    )


def _slow_down(figure: Figure, *, times: float = 1.0, low: float, high: float, why: str) -> Figure:
    """The figure times so many, its interval wider by `low` and `high` times its value."""
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    value = figure.value * times
    return replace(
        figure,
        value=value,
        low=value * max(1 - hypot(1 - figure.low / figure.value, 1 - low), 0.0),
        high=value * (1 + hypot(figure.high / figure.value - 1, high - 1)),
        evidence=f"{figure.evidence}; {why}",
    )


def _instructions(ops: Sequence[OpShape], profile: Profile) -> Figure:
    if profile.latency.by != "instructions":
        reason = f"no instruction counts for {profile.core} with {profile.runtime.kernels}"
        return unavailable("instructions", reason)
    return estimate_instructions(ops, load_instruction_table(profile.latency.table)).figure


def _link(ops: Sequence[OpShape], tflite_bytes: int, profile: Profile) -> Figure:
    table = load_flash_table(profile.costs.flash_build)
    code = estimate_code(ops, table)
    value = tflite_bytes + code.code_bytes + profile.costs.startup_bytes
    guessed = f"; never linked, taken as 12 kB each: {', '.join(code.unlisted)}" if code.unlisted else ""
    least, most = (1 - code.error, 1 + code.error)
    if _is_stand_in(profile):
        least, most = _OTHER_KERNELS
        guessed += f"; a build of other kernels stands in for {profile.runtime.kernels} on {profile.core}"
    unknown = UNLISTED_OP_BYTES * len(code.unlisted)
    linked = code.code_bytes - unknown
    return Figure(
        value=float(value),
        unit="bytes",
        source="estimated",
        evidence=(
            f"file ({tflite_bytes}) + interpreter, start-up and the ops used ({code.code_bytes}, "
            f"{profile.costs.evidence}: {table.flags}; op sets linked whole were off by {code.error:.1%} at "
            f"most), without a vendor's HAL, an RTOS and the application{guessed}"
        ),
        low=value - (1 - least) * linked - unknown,
        high=value + (most - 1) * linked + 2 * unknown,
    )


def _is_stand_in(profile: Profile) -> bool:
    """Whether the profile's table of linked code is one of other kernels than it runs."""
    kernels = "cmsis-nn" if profile.runtime.kernels == "ethos-u" else profile.runtime.kernels
    return not profile.costs.flash_build.endswith(f"-{kernels}")


def estimate_ram(arena: Figure, profile: Profile) -> Figure:
    """Bytes of RAM on a microcontroller: arena, the runtime's data and stack."""
    costs = profile.costs
    fixed = float(costs.static_ram_bytes + costs.stack_bytes)
    low, high = (fixed * share for share in _BESIDE_ARENA)
    parts = f"runtime data ({costs.static_ram_bytes}) and stack ({costs.stack_bytes})"
    return _add_to_arena(arena, fixed, low=low, high=high, parts=parts, profile=profile)


def _estimate_resident(
    ops: Sequence[OpShape], *, tflite_bytes: int, arena: Figure, profile: Profile
) -> Figure:
    """Bytes of RAM of a process: activations, the file, packed weights, and the interpreter.

    XNNPACK packs a copy of the weights; the file itself is mapped and counted as resident. An op that it does
    not take is not packed, and nobody measured the interpreter.
    """
    fixed = float(profile.costs.static_ram_bytes + profile.costs.stack_bytes)
    packed = sum(op.weight_count * _WEIGHT_BYTES.get(op.dtype, 1) for op in ops)
    return _add_to_arena(
        arena,
        fixed + packed + tflite_bytes,
        low=tflite_bytes + fixed / 2,
        high=tflite_bytes + packed + fixed * 2,
        parts=f"file ({tflite_bytes}), packed weights ({packed}), interpreter and stack",
        profile=profile,
    )


def _add_to_arena(
    arena: Figure, beside: float, *, low: float, high: float, parts: str, profile: Profile
) -> Figure:
    """RAM: the arena, and what lies beside it, at least and at most `low` and `high`."""
    if arena.value is None:
        return unavailable("ram_bytes", arena.evidence)
    costs = profile.costs
    return Figure(
        value=arena.value + beside,
        unit="bytes",
        source="estimated",
        evidence=f"arena ({arena.value:.0f}, {arena.source}) + {parts}, {costs.evidence}: {costs.source}",
        low=(arena.value if arena.low is None else arena.low) + low,
        high=(arena.value if arena.high is None else arena.high) + high,
    )


def spare_for_errors(profile: Profile, *, flash: float | None, ram: float | None) -> tuple[float, float]:
    """What of limits on flash and RAM, in bytes, estimates at these limits may be wrong by; 0 without one.

    Only code that is linked from a table is estimated so.
    """
    if not profile.costs.flash_build:
        return 0.0, 0.0
    table = load_flash_table(profile.costs.flash_build)
    error = _OTHER_KERNELS[1] - 1 if _is_stand_in(profile) else table.error
    # All of the image may be code, but no more than all ops together have.
    code = min((flash or 0.0) / (1 + error), table.baseline_bytes + sum(table.atoms.values()))
    beside = profile.costs.static_ram_bytes + profile.costs.stack_bytes
    return error * code, (_BESIDE_ARENA[1] - 1) * beside if ram else 0.0


def _gap(bound: float | None, value: float) -> float:
    return 0.0 if bound is None or not value else abs(bound - value) / value
