"""The memory of activations: TFLM's arena from its own allocator, or a plan of our own."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from edgeprune.device.arena import HostArena, list_head, plan_head, predict_arena, read_arena_inputs
from edgeprune.device.estimate import arena_kernels
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.kernels.scratch import Kernels
from edgeprune.device.placement import describe_placement
from edgeprune.device.profile import Profile
from edgeprune.errors import (
    InputError,
    ModelError,
    OpError,
    ToolFailedError,
    ToolMissingError,
    ToolStoppedError,
)
from edgeprune.report.sections.memory import INPUTS, MemoryPart
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.arena import PLANNED_AT_MOST, list_planned, plan_arena
from edgeprune.tflite.execution import executed_shapes
from edgeprune.tflite.model import NUMPY_TYPES, Model
from edgeprune.tflite.read import read_model

_SIMULATED_BYTES_AT_MOST, _SIMULATED_MACS_AT_MOST = 1 << 26, 4e10
"""Beyond any microcontroller: of such a file, the arena is only estimated."""
DRAWN_AT_MOST = 400
"""Buffers of a plan that people can still tell apart in a drawing."""
NOT_RUN = "TFLM does not run the file"
"""Why there is no arena of a file that its ops check refuses."""
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
        OpError: TFLM has all ops, and its kernels cannot do what the file asks of them.
        ModelError: they refuse it for another reason, which is the file's.
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


def describe_plan(model: Model, kernels: Kernels, *, planner: str) -> MemoryPart | None:
    """Where each activation and scratch buffer lies while each op runs, as the greedy planner places them.

    Args:
        model: the file.
        kernels: whose scratch buffers there are.
        planner: who plans so, for people.

    Returns:
        The plan for the report; None for files with loops or branches, whose ops have no fixed order, and
        for more than `DRAWN_AT_MOST` buffers.
    """
    planned = list_planned(model)
    if len(model.subgraphs) > 1 or len(planned) > DRAWN_AT_MOST:
        return None
    buffers = list_head(read_arena_inputs(model), kernels)
    plan = plan_arena(buffers)
    names = [f"tensor {tensor.index}" for _, tensor in planned]
    names += ["scratch"] * (len(buffers) - len(names))
    return {
        "planner": planner,
        "total_bytes": plan.total_bytes,
        "steps": [INPUTS, *(f"{op.name} {op.index}" for op in model.ops)],
        "blocks": [
            {
                "name": name,
                "offset": offset,
                "bytes": buffer.size_bytes,
                "first": buffer.first_op,
                "last": buffer.last_op,
            }
            for name, offset, buffer in zip(names, plan.offsets, buffers, strict=True)
            if buffer.first_op >= 0
        ],
    }


def _refuse_many(model: Model) -> Figure | None:
    if len(list_planned(model)) > PLANNED_AT_MOST:
        return unavailable("arena_bytes", f"a plan of over {PLANNED_AT_MOST} activations takes too long")
    return None


def _simulate(tflite: bytes, model: Model, profile: Profile, *, runs: bool) -> Figure:
    inputs = read_arena_inputs(model)
    planned = predict_arena(inputs, arena_kernels(profile))
    macs = sum(op.macs * (op.turns or 1) for op in executed_shapes(model))
    too_large = (planned.value or 0.0) > _SIMULATED_BYTES_AT_MOST or macs > _SIMULATED_MACS_AT_MOST
    if too_large:
        return planned
    strange = [tensor.dtype for tensor in model.inputs if tensor.dtype not in NUMPY_TYPES]
    if strange:
        return unavailable("arena_bytes", f"an input of type {strange[0]} cannot be filled here")
    try:
        host = _take_host_arena(tflite, timeout_seconds=_LEAST_SECONDS + macs / _MACS_PER_SECOND)
        if isinstance(host, InputError | ToolFailedError):
            raise host
    except ToolMissingError as error:
        # The allocator gives what our plan does, but for ops whose kernels ask for scratch we do not know of.
        return replace(planned, evidence=f"{planned.evidence}; not confirmed by its allocator: {error.what}")
    except ToolStoppedError:
        if runs:
            raise
        return unavailable("arena_bytes", NOT_RUN)
    except (ToolFailedError, InputError) as error:
        if not runs:
            return unavailable("arena_bytes", NOT_RUN)
        if isinstance(error, OpError):
            raise
        _refuse_signatures(model)
        # Its ops are all there, and TFLM can do what they ask for: it is the file that is wrong.
        raise ModelError("TFLM cannot run the file", where=model.where, why=error.message) from error
    return predict_arena(inputs, arena_kernels(profile), host=host)


def forget_arenas() -> None:
    """Forgets what was run here: for when another TFLM is installed."""
    _take_host_arena.cache_clear()


@lru_cache(maxsize=4)
def _take_host_arena(tflite: bytes, *, timeout_seconds: float) -> HostArena | InputError | ToolFailedError:
    """What TFLM's allocator takes here, the same for every device; or why TFLM does not run the file.

    Raises:
        ToolMissingError: TFLM is not installed.
        ToolStoppedError: it was killed, or out of time, and may run the file another time.
    """
    model = read_model(tflite, where="the artefact")
    zeros = tuple(np.zeros((1, *tensor.shape), NUMPY_TYPES[tensor.dtype]) for tensor in model.inputs)
    try:
        allocation = run_tflm(tflite, zeros, timeout_seconds=timeout_seconds).allocation
    except ToolStoppedError:
        raise
    except (InputError, ToolFailedError) as error:
        return error
    return HostArena(head_bytes=allocation.head_bytes, tail_bytes=allocation.tail_bytes)


def _refuse_signatures(model: Model) -> None:
    """Raises OpError for a file with further entry points, which TFLM prepares, too, and may crash on."""
    others = [repr(signature.key) for signature in model.signatures if signature.subgraph != 0]
    if others:
        first = next((repr(signature.key) for signature in model.signatures if signature.subgraph == 0), "")
        raise OpError(
            "TFLM crashes on the file",
            where=model.where,
            why=f"it prepares every signature, {', '.join(others)} too, and serves the first alone",
            fix=f"convert the signature {first} alone" if first else "convert what it is to compute alone",
        )


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
