"""What a `.tflite` file costs on a device, and whether that fits. Imports no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeprune.device.arena import HostArena, plan_head, predict_arena, read_arena_inputs
from edgeprune.device.estimate import arena_kernels, estimate_figures
from edgeprune.device.figures import Check, Figure, unavailable
from edgeprune.device.npu import Npu
from edgeprune.device.placement import describe_placement
from edgeprune.device.power import add_energy
from edgeprune.device.profile import Profile
from edgeprune.device.runtime import name_runtime
from edgeprune.errors import ModelError, OpError, ToolFailedError, ToolMissingError
from edgeprune.graph.opshape import OpShape
from edgeprune.measuring.c_engine import measure_on_engine
from edgeprune.measuring.ethos_u import measure_on_npu
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.runtimes.vela import ETHOS_U_OP, VelaResult
from edgeprune.tflite.arena import PLANNED_AT_MOST, list_planned
from edgeprune.tflite.model import NUMPY_TYPES, Model
from edgeprune.tflite.op_ranks import require_ranks
from edgeprune.tflite.ops import op_shapes, unsupported_ops
from edgeprune.tflite.order import require_order
from edgeprune.tflite.read import read_model

_SIMULATED_BYTES_AT_MOST, _SIMULATED_MACS_AT_MOST = 1 << 26, 4e10
"""Beyond any microcontroller: of such a file, the arena is only estimated."""
_LEAST_SECONDS, _MACS_PER_SECOND = 60.0, 1e8
"""Time that TFLM's reference kernels get: three times what they take on a slow machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A `.tflite` file, read and measured for one device.

    Attributes:
        model: the file, read.
        ops: shapes of its ops.
        figures: every figure of `UNITS` that follows from the file alone.
        unsupported: what the device's runtime cannot execute, one sentence each.
        compiled: what goes into flash in the file's place, on a device with an NPU.
        notes: what is worth knowing besides, one sentence each.
    """

    model: Model
    ops: tuple[OpShape, ...]
    figures: Mapping[str, Figure]
    unsupported: tuple[str, ...]
    compiled: VelaResult | None = None
    notes: tuple[str, ...] = ()


def measure(tflite: bytes, *, profile: Profile, where: str) -> Measured:
    """Figures of a file on a device: the arena from the real allocator, the rest from the profile's tables.

    On a device with an NPU, all that depends on it comes from Vela; with the C engine, from its image.

    Args:
        tflite: the file's bytes.
        profile: the device.
        where: the file's name, for messages.

    Raises:
        ModelError: the bytes are not a usable `.tflite` file.
    """
    model = read_model(tflite, where=where)
    ops = tuple(op_shapes(model))
    require_order(model)
    require_ranks(ops, where=where)
    if profile.runtime.name == "c":
        costs = measure_on_engine(tflite, model, ops=ops, profile=profile)
        figures = add_energy(costs.figures, profile.power)
        return Measured(model=model, ops=ops, figures=figures, unsupported=costs.unsupported)
    if profile.npu is not None:
        return _measure_compiled(tflite, model, ops=ops, npu=profile.npu, profile=profile)
    unsupported = _list_unsupported(model, profile)
    if any(op.op == ETHOS_U_OP for op in ops):
        unsupported += (f"{ETHOS_U_OP}: {profile.id} has no NPU; give the file as it was before Vela",)
    arena = _place(_find_arena(tflite, model, profile, runs=not unsupported), model, profile)
    figures = estimate_figures(ops, tflite_bytes=len(tflite), arena=arena, profile=profile)
    return Measured(model=model, ops=ops, figures=add_energy(figures, profile.power), unsupported=unsupported)


def _measure_compiled(
    tflite: bytes, model: Model, *, ops: tuple[OpShape, ...], npu: Npu, profile: Profile
) -> Measured:
    costs = measure_on_npu(tflite, npu=npu, profile=profile)
    unmeasured = unavailable("arena_bytes", "Vela plans it")
    figures = estimate_figures(ops, tflite_bytes=len(tflite), arena=unmeasured, profile=profile)
    # TFLM needs kernels for what Vela leaves to the core, not for what it takes.
    executed = costs.compiled.model if costs.compiled else model
    return Measured(
        model=model,
        ops=ops,
        figures=add_energy({**figures, **costs.figures}, profile.power),
        unsupported=_list_unsupported(executed, profile),
        compiled=costs.compiled,
        notes=costs.notes,
    )


def _list_unsupported(model: Model, profile: Profile) -> tuple[str, ...]:
    return tuple(
        f"{item.op} ({item.dtype}): {item.reason}; {item.fix}"
        for item in unsupported_ops(model, runtime="litert" if profile.runtime.name == "litert" else "tflm")
    )


def check_ops(measured: Measured, profile: Profile) -> Check:
    """Whether the device's runtime has a kernel for every op."""
    count = len(measured.unsupported)
    evidence = "; ".join(measured.unsupported or (f"the ops of {name_runtime(profile)}", *measured.notes))
    figure = Figure(value=float(count), unit="unsupported ops", source="simulated", evidence=evidence)
    return Check(name="ops", figure=figure, budget=0.0)


def _place(arena: Figure, model: Model, profile: Profile) -> Figure:
    """The arena's figure, with where on the device it can lie."""
    if arena.value is None:
        return arena
    outputs = [model.tensors[index] for op in model.ops for index in op.outputs if index >= 0]
    largest = max(outputs, key=lambda tensor: tensor.bytes, default=None)
    where = describe_placement(
        arena.value, profile, largest=None if largest is None else (largest.name, largest.bytes)
    )
    return replace(arena, evidence=f"{arena.evidence}; {where}") if where else arena


def _find_arena(tflite: bytes, model: Model, profile: Profile, *, runs: bool) -> Figure:
    """The memory of activations: TFLM's arena from its own allocator; on LiteRT a plan of our own.

    Args:
        tflite: the file.
        model: the same, read.
        profile: the device.
        runs: whether its runtime has all ops; else a failure is no fault of the file.
    """
    if len(list_planned(model)) > PLANNED_AT_MOST:
        return unavailable("arena_bytes", f"a plan of over {PLANNED_AT_MOST} activations takes too long")
    inputs = read_arena_inputs(model)
    if profile.runtime.name == "litert":
        return Figure(
            value=float(plan_head(inputs, "reference")),
            unit="bytes",
            source="estimated",
            evidence="greedy plan of all activations",
        )
    planned = predict_arena(inputs, arena_kernels(profile))
    macs = sum(op.macs for op in inputs.ops)
    too_large = (planned.value or 0.0) > _SIMULATED_BYTES_AT_MOST or macs > _SIMULATED_MACS_AT_MOST
    if too_large or not model.inputs:
        return planned
    strange = [tensor.dtype for tensor in model.inputs if tensor.dtype not in NUMPY_TYPES]
    if strange:
        return unavailable("arena_bytes", f"an input of type {strange[0]} cannot be filled here")
    zeros = tuple(np.zeros((1, *tensor.shape), NUMPY_TYPES[tensor.dtype]) for tensor in model.inputs)
    try:
        allocation = run_tflm(
            tflite, zeros, timeout_seconds=_LEAST_SECONDS + macs / _MACS_PER_SECOND
        ).allocation
    except ToolMissingError as error:
        return unavailable("arena_bytes", error.message)
    except (ToolFailedError, OpError) as error:
        if not runs:
            return unavailable("arena_bytes", error.message)
        # Its ops are all there, so it is the file that TFLM cannot take.
        raise ModelError(
            "TFLM cannot run the file", where=model.where, why=error.message, fix="convert the model again"
        ) from error
    host = HostArena(head_bytes=allocation.head_bytes, tail_bytes=allocation.tail_bytes)
    return predict_arena(inputs, arena_kernels(profile), host=host)
