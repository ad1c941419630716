"""Figures of a file that Vela compiled for an Ethos-U NPU, from Vela's report.

Ops that Vela leaves to the core run in TFLM with CMSIS-NN, and are priced as on a device without an NPU.
"""

from dataclasses import replace

from edgeprune.device.arena import plan_head, read_arena_inputs, tail_bytes
from edgeprune.device.estimate import arena_kernels, estimate_ram, time_instructions
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.flash import estimate_code, load_flash_table
from edgeprune.device.instructions import estimate_instructions, load_instruction_table
from edgeprune.device.npu import Npu
from edgeprune.device.profile import Profile
from edgeprune.graph.opshape import OpShape
from edgeprune.runtimes.vela import ETHOS_U_OP, VelaResult
from edgeprune.tflite.arena import align
from edgeprune.tflite.execution import executed_shapes
from edgeprune.tflite.model import Model

_ADDRESS_BYTES, _SIZE_BYTES = 8, 4
"""Scratch of TFLM's Ethos-U kernel for each of its tensors: an address of 64 bits and a size (ethosu.cc)."""


def figure_compiled(compiled: VelaResult, *, npu: Npu, profile: Profile) -> dict[str, Figure]:
    """`flash_bytes`, `arena_bytes`, `ram_bytes`, `instructions` and `latency_ms` of a compiled file."""
    cpu_ops = [op for op in executed_shapes(compiled.model) if op.op != ETHOS_U_OP]
    arena = _arena(compiled, cpu_ops, profile=profile)
    instructions = _instructions(cpu_ops, profile)
    return {
        "flash_bytes": _flash(compiled, cpu_ops, profile=profile),
        "arena_bytes": arena,
        "ram_bytes": _ram(compiled, arena, profile=profile),
        "instructions": instructions,
        "latency_ms": _latency(compiled, instructions, npu=npu, profile=profile),
    }


def _flash(compiled: VelaResult, cpu_ops: list[OpShape], *, profile: Profile) -> Figure:
    """The compiled file. Code is left out: nobody has linked the NPU's driver here."""
    code = estimate_code(cpu_ops, load_flash_table(profile.costs.flash_build)).code_bytes
    return Figure(
        value=float(len(compiled.tflite)),
        unit="bytes",
        source="simulated",
        evidence=(
            f"{compiled.describe}: the compiled file, with {compiled.read_only_bytes} bytes of weights and "
            f"tables (weights encoded from {compiled.weights_bytes} to {compiled.encoded_weights_bytes}) and "
            f"{compiled.commands_bytes} of commands. Code is not in it: about {code} bytes of TFLM and of "
            "what runs on the core, and the NPU's driver, whose size is not known"
        ),
    )


def _arena(compiled: VelaResult, cpu_ops: list[OpShape], *, profile: Profile) -> Figure:
    """Vela's plan of activations, and TFLM's records of the compiled file on a 32-bit core."""
    inputs, kernels = read_arena_inputs(compiled.model), arena_kernels(profile)
    on_npu = any(op.op == ETHOS_U_OP for op in inputs.ops)
    head = compiled.arena_bytes + _npu_scratch(compiled.model) if on_npu else plan_head(inputs, kernels)
    tail = tail_bytes(inputs, kernels)
    return Figure(
        value=float(head + tail),
        unit="bytes",
        source="simulated",
        evidence=(
            f"{compiled.describe}: activations {head} bytes, and TFLM's records with 4-byte pointers ({tail})"
        ),
    )


def _npu_scratch(model: Model) -> int:
    """Bytes of the two arrays that TFLM's Ethos-U kernel asks for: addresses and sizes of its tensors."""
    needed = 0
    for op in model.ops:
        if op.name == ETHOS_U_OP:
            tensors = len(op.inputs) + len(op.outputs)
            needed = max(needed, align(_ADDRESS_BYTES * tensors) + align(_SIZE_BYTES * tensors))
    return needed


def _ram(compiled: VelaResult, arena: Figure, *, profile: Profile) -> Figure:
    size = len(compiled.tflite)
    ram = estimate_ram(arena, profile)
    beside, what = compiled.fast_scratch_bytes, "SRAM of the NPU alone"
    if compiled.memory_mode == "Sram_Only":
        beside, what = size, "the compiled file, which must lie in SRAM"
    if not beside:
        return ram
    value, low, high = (None if end is None else end + beside for end in (ram.value, ram.low, ram.high))
    return replace(ram, value=value, low=low, high=high, evidence=f"{ram.evidence}; and {what} ({beside})")


def _instructions(cpu_ops: list[OpShape], profile: Profile) -> Figure:
    """Of the ops that stay on the core."""
    if not cpu_ops:
        return unavailable("instructions", "all ops run on the NPU, which executes none of the core's")
    return estimate_instructions(cpu_ops, load_instruction_table(profile.latency.table)).figure


def _latency(compiled: VelaResult, instructions: Figure, *, npu: Npu, profile: Profile) -> Figure:
    """Vela's cycles at the NPU's clock, and what the core takes for the ops that stay on it."""
    npu_ms = compiled.cycles / (npu.clock_mhz * 1e3)
    counted = f"{compiled.cycles} cycles at {npu.clock_mhz:g} MHz by Vela's own model of the NPU"
    evidence = f"{compiled.describe}: {counted}"
    if not compiled.cpu_ops:
        return Figure(value=npu_ms, unit="ms", source="simulated", evidence=evidence)
    core = time_instructions(instructions, profile)
    if core.value is None:
        return core
    return Figure(
        value=npu_ms + core.value,
        unit="ms",
        source="estimated",
        evidence=f"{evidence}, {npu_ms:.3g} ms; the ops on the core: {core.evidence}",
        low=None if core.low is None else npu_ms + core.low,
        high=None if core.high is None else npu_ms + core.high,
    )
