"""The memory of activations: TFLM's arena from its own allocator, or a plan of our own."""

from dataclasses import replace

import numpy as np

from edgeprune.device.arena import HostArena, plan_head, predict_arena, read_arena_inputs
from edgeprune.device.estimate import arena_kernels
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.placement import describe_placement
from edgeprune.device.profile import Profile
from edgeprune.errors import ModelError, OpError, ToolFailedError, ToolMissingError, ToolStoppedError
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.arena import PLANNED_AT_MOST, list_planned
from edgeprune.tflite.model import NUMPY_TYPES, Model

_SIMULATED_BYTES_AT_MOST, _SIMULATED_MACS_AT_MOST = 1 << 26, 4e10
"""Beyond any microcontroller: of such a file, the arena is only estimated."""
_LEAST_SECONDS, _MACS_PER_SECOND = 60.0, 1e8
"""Time that TFLM's reference kernels get: three times what they take on a slow machine."""


def simulate_arena(tflite: bytes, model: Model, *, profile: Profile, runs: bool) -> Figure:
    """TFLM's arena, from its own allocator where it runs here, and where on the device it can lie.

    Args:
        tflite: the file.
        model: the same, read.
        profile: the device.
        runs: whether its runtime has all ops; else a failure is no fault of the file.

    Raises:
        ModelError: TFLM has all ops, and cannot run the file.
    """
    if (obstacle := _refuse_many(model)) is not None:
        return obstacle
    return _place(_simulate(tflite, model, profile, runs=runs), model, profile)


def plan_activations(model: Model, profile: Profile) -> Figure:
    """All activations, planned greedily, and where on the device they can lie."""
    if (obstacle := _refuse_many(model)) is not None:
        return obstacle
    figure = Figure(
        value=float(plan_head(read_arena_inputs(model), "reference")),
        unit="bytes",
        source="estimated",
        evidence="greedy plan of all activations",
    )
    return _place(figure, model, profile)


def _refuse_many(model: Model) -> Figure | None:
    if len(list_planned(model)) > PLANNED_AT_MOST:
        return unavailable("arena_bytes", f"a plan of over {PLANNED_AT_MOST} activations takes too long")
    return None


def _simulate(tflite: bytes, model: Model, profile: Profile, *, runs: bool) -> Figure:
    inputs = read_arena_inputs(model)
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
        # The allocator gives what our plan does, but for ops whose kernels ask for scratch we do not know of.
        return replace(planned, evidence=f"{planned.evidence}; not confirmed by its allocator: {error.what}")
    except (ToolFailedError, OpError) as error:
        if not runs:
            return unavailable("arena_bytes", error.message)
        if isinstance(error, ToolStoppedError):
            raise
        # Its ops are all there, so it is the file that TFLM cannot take.
        raise ModelError(
            "TFLM cannot run the file", where=model.where, why=error.message, fix="convert the model again"
        ) from error
    host = HostArena(head_bytes=allocation.head_bytes, tail_bytes=allocation.tail_bytes)
    return predict_arena(inputs, arena_kernels(profile), host=host)


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
