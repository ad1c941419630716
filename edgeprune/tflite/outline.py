"""What is in a `.tflite` file: ops, tensors, sizes, zeros, and where activations lie in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.arena import PLANNED_AT_MOST, Buffer, align, list_buffers, list_planned, plan_arena
from edgeprune.tflite.decode.read import read_decoded
from edgeprune.tflite.decode.wire import OP_NAME as DECODE
from edgeprune.tflite.model import BITS, Model, Op, Subgraph, Tensor
from edgeprune.tflite.zeros import find_zeros


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorOutline:
    """One tensor.

    Attributes:
        index: its place in its subgraph.
        name: "" where the file keeps none.
        shape: its dimensions; `shape_signature` has -1 where the file leaves one open, and may be empty.
        dtype: type of its elements.
        role: "constant", "variable", "activation", or "unused" where no op reads or writes it.
        bytes: size of its value.
        stored_bytes: what the file holds of it; 0 for activations.
        shared_with: the first tensor, as (subgraph, index), that the same bytes are stored for; None if it
            is that one itself.
        zeros: elements that are zero, of a constant in a plain encoding and of what PRUNE has encoded.
        sparsity: the same as a fraction.
        encoding: "sparse" in TFLite's own sparse encoding; "prune", "lut" or "huffman" of what DECODE makes.
        scales, zero_points: quantization, one per tensor or per slice of `axis`; empty where there is none.
        axis: None unless there are several scales.
        arena_offset: where in the arena it begins, in bytes; None if it is not there, or not planned.
        first_op, last_op: when it is needed, counted from 1, those of subgraphs, too; 0 is before the first.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    role: str
    bytes: int
    stored_bytes: int
    shared_with: tuple[int, int] | None
    zeros: int | None
    sparsity: float | None
    encoding: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None
    arena_offset: int | None = None
    first_op: int | None = None
    last_op: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ArenaOutline:
    """The plan that TFLM makes for the activations, without its records and its kernels' scratch.

    Attributes:
        bytes: needed for all.
        peak_op: index of the first op that needs the most tensors' bytes at a time; None where there are
            several subgraphs.
        peak_tensors: (subgraph, index) of the tensors that are needed then.
    """

    bytes: int
    peak_op: int | None
    peak_tensors: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SubgraphOutline:
    """One subgraph: its ops in the order of execution, its tensors in the order of the file."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    ops: tuple[Op, ...]
    tensors: tuple[TensorOutline, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """A whole file.

    Attributes:
        size_bytes: of the file.
        constant_bytes: of all constants, each counted once; the rest is structure, metadata and padding.
        zeros, elements: of the constants whose zeros are known.
        subgraphs: the main one first.
        arena: None where it was not planned; `arena_note` says why, as a sentence.
    """

    size_bytes: int
    constant_bytes: int
    zeros: int
    elements: int
    subgraphs: tuple[SubgraphOutline, ...]
    arena: ArenaOutline | None
    arena_note: str


def outline_model(model: Model) -> Outline:
    """What is in the file."""
    buffers = list_buffers(model) if len(list_planned(model)) <= PLANNED_AT_MOST else []
    arena, placed = _plan(model, buffers)
    first_of: dict[int, tuple[int, int]] = {}
    subgraphs = tuple(
        _outline_subgraph(subgraph, place, first_of, placed) for place, subgraph in enumerate(model.subgraphs)
    )
    own = [
        tensor
        for subgraph in subgraphs
        for tensor in subgraph.tensors
        if tensor.role == "constant" and tensor.shared_with is None
    ]
    known = [tensor for tensor in own if tensor.zeros is not None]
    note = "" if arena else f"Activations are not planned: there are over {PLANNED_AT_MOST} of them."
    return Outline(
        size_bytes=model.size_bytes,
        constant_bytes=sum(tensor.stored_bytes for tensor in own),
        zeros=sum(tensor.zeros or 0 for tensor in known),
        elements=sum(int(np.prod(tensor.shape, dtype=object)) for tensor in known),
        subgraphs=subgraphs,
        arena=arena,
        arena_note=note,
    )


def _plan(
    model: Model, buffers: list[Buffer]
) -> tuple[ArenaOutline | None, Mapping[tuple[int, int], tuple[int, Buffer]]]:
    """The plan, and offset and life of each tensor by (subgraph, index)."""
    planned = list_planned(model)
    if len(planned) > len(buffers):
        return None, {}
    plan = plan_arena(buffers)
    places = [(place, tensor.index) for place, tensor in planned]
    placed = dict(zip(places, zip(plan.offsets, buffers, strict=True), strict=True))
    used = [buffer for buffer in buffers if buffer.first_op >= 0]
    change = [0] * (max((buffer.last_op for buffer in used), default=0) + 2)
    for buffer in used:
        change[buffer.first_op] += align(buffer.size_bytes)
        change[buffer.last_op + 1] -= align(buffer.size_bytes)
    live = list(accumulate(change[:-1]))
    now = live.index(max(live))
    peak = [place for place, (_, buffer) in placed.items() if buffer.first_op <= now <= buffer.last_op]
    known = len(model.subgraphs) == 1 and now > 0
    return ArenaOutline(
        bytes=plan.total_bytes, peak_op=now - 1 if known else None, peak_tensors=tuple(peak)
    ), placed


def _outline_subgraph(
    subgraph: Subgraph,
    place: int,
    first_of: dict[int, tuple[int, int]],
    placed: Mapping[tuple[int, int], tuple[int, Buffer]],
) -> SubgraphOutline:
    used = {*subgraph.inputs, *subgraph.outputs}
    for op in subgraph.ops:
        used.update(op.inputs, op.outputs)
    decoded = dict(_list_decoded(subgraph))
    tensors = []
    for tensor in subgraph.tensors:
        here = (place, tensor.index)
        shared = here if tensor.data is None else first_of.setdefault(_address(tensor.data), here)
        offset, buffer = placed.get(here, (None, None))
        zeros, encoding = decoded.get(tensor.index) or _count_zeros(tensor)
        tensors.append(
            TensorOutline(
                index=tensor.index,
                name=tensor.name,
                shape=tensor.shape,
                shape_signature=tensor.shape_signature,
                dtype=tensor.dtype,
                role=_role(tensor, used=tensor.index in used),
                bytes=tensor.bytes,
                stored_bytes=0 if tensor.data is None else tensor.data.size,
                shared_with=None if shared == here else shared,
                zeros=zeros,
                sparsity=zeros / tensor.elements if zeros is not None and tensor.elements else None,
                encoding=encoding,
                scales=tuple(tensor.scales.tolist()),
                zero_points=tuple(tensor.zero_points.tolist()),
                axis=tensor.axis if tensor.scales.size > 1 else None,
                arena_offset=offset,
                first_op=None if buffer is None or buffer.first_op < 0 else buffer.first_op,
                last_op=None if buffer is None or buffer.last_op < 0 else buffer.last_op,
            )
        )
    return SubgraphOutline(
        name=subgraph.name,
        inputs=subgraph.inputs,
        outputs=subgraph.outputs,
        ops=subgraph.ops,
        tensors=tuple(tensors),
    )


def _list_decoded(subgraph: Subgraph) -> Iterator[tuple[int, tuple[int | None, str]]]:
    """Zeros and encoding of each tensor that a DECODE op makes."""
    for op in subgraph.ops:
        if op.name != DECODE:
            continue
        try:
            found = read_decoded(op, subgraph.tensors)
        except ModelError:  # `check` says what TFLM would refuse
            continue
        for index, item in zip(op.outputs, found, strict=True):
            zeros = item.elements - item.stored if item.encoding == "prune" else None
            yield index, (zeros, item.encoding)


def _count_zeros(tensor: Tensor) -> tuple[int | None, str]:
    if tensor.is_sparse:
        return None, "sparse"
    if not tensor.is_constant or tensor.dtype not in BITS:
        return None, ""
    try:
        return int(np.count_nonzero(find_zeros(tensor))), ""
    except ModelError:  # a type that numpy does not have, or a compressed buffer
        return None, ""


def _address(stored: NDArray[np.uint8]) -> int:
    """Where in memory, and so where in the file, a constant lies: buffers may share their bytes."""
    return int(stored.ctypes.data)


def _role(tensor: Tensor, *, used: bool) -> str:
    if tensor.is_constant:
        return "constant"
    if tensor.is_variable:
        return "variable"
    return "activation" if used else "unused"
