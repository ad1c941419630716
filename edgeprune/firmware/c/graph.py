"""A model as layers with places: every op compiled, every tensor somewhere in memory."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from edgeprune.errors import OpError
from edgeprune.firmware.c import ops as _ops  # noqa: F401  (registers the emitters)
from edgeprune.firmware.c.calls import format_routine, list_copies
from edgeprune.firmware.c.folding import fold_shapes
from edgeprune.firmware.c.layer import C_TYPES, EMITTERS, Instructions, Layer, Optimize, Routine, Site
from edgeprune.firmware.c.memory import Block, plan_memory
from edgeprune.firmware.c.ordering import Task, find_order
from edgeprune.firmware.c.outputs import copy_constants
from edgeprune.firmware.c.padding import fold_padding
from edgeprune.firmware.c.program import Program, Step
from edgeprune.firmware.c.resources import Settled, settle_resources
from edgeprune.firmware.c.room import Room, bound_tflm_arena, choose_faster
from edgeprune.tflite.decode.unpack import unpack_constants
from edgeprune.tflite.model import Model
from edgeprune.tflite.validity.require import require_valid

_MOST_BYTES = 1 << 28
"""Of a tensor: no microcontroller has so many, and all places in it are numbers of 32 bits."""
CLOSE = 1e-5
"""Within what, absolute and relative, floats are the same where they come from a C library's functions."""


def compile_model(
    model: Model,
    *,
    prefix: str,
    instructions: Instructions,
    optimize: Optimize = "speed",
    room: Room | None = None,
) -> Program:
    """Every op compiled, and the arena planned.

    Args:
        model: the model.
        prefix: start of every name in the generated C.
        instructions: what the core can execute.
        optimize: what choices between kernels go by.
        room: what kernels may take that are faster and larger than others; None for any amount.

    Raises:
        OpError: the C engine lacks an op, or what the op asks for.
        ModelError: a dimension is open, and what its shape says instead does not go with the others.
    """
    settled = _fold(model)
    steps = _compile_steps(settled.model, prefix=prefix, instructions=instructions, optimize=optimize)
    _check_ends(settled.model)
    return replace(_choose(settled.model, steps, room or Room()), starts=settled.starts)


def _choose(model: Model, steps: tuple[Step, ...], room: Room) -> Program:
    """The program with as many faster layers as there is room for."""
    places = choose_faster([step.layer for step in steps], flash_bytes=room.flash_bytes)
    while places:
        faster = _replace_layers(model, steps, places)
        if _fits_ram(faster, room):
            return faster
        places.remove(max(places, key=lambda place: faster.steps[place].layer.scratch_bytes))
    return _place(model, steps)


def _compile_steps(
    model: Model, *, prefix: str, instructions: Instructions, optimize: Optimize, graph: int = 0
) -> tuple[Step, ...]:
    sites = _list_sites(model, prefix=prefix, instructions=instructions, optimize=optimize, graph=graph)
    return tuple(Step(op=site.op, label=site.label, layer=_compile(site)) for site in sites)


def _compile_graph(model: Model, site: Site, index: int) -> Routine:
    """A subgraph as a function, for an op that runs it; its names begin with that op's.

    Args:
        model: the file, folded.
        site: the op.
        index: of the subgraph.

    Raises:
        OpError: as `compile_model`.
    """
    graph = model.subgraphs[index]
    _require_shared_state(model, site, index)
    name = f"{site.label}_graph_{index}"
    steps = _compile_steps(
        model, prefix=name, instructions=site.instructions, optimize=site.optimize, graph=index
    )
    program = _place(replace(model, subgraphs=(graph,)), steps)
    layers = [step.layer for step in steps]
    used = {tensor for layer in layers for tensor in (*layer.inputs, *layer.outputs) if tensor >= 0}
    return Routine(
        name=name,
        function="".join(layer.function for layer in layers) + format_routine(program, name=name),
        constants=tuple(
            replace(constant, name=f"{step.label}_{constant.name}".removeprefix(f"{site.label}_"))
            for step in steps
            for constant in step.layer.constants
        ),
        kernels=frozenset(kernel for layer in layers for kernel in layer.kernels)
        | ({"bytes"} if any(list_copies(program)) else set()),
        arena_bytes=program.plan.total_bytes,
        variables=frozenset(tensor for tensor in used if graph.tensors[tensor].is_variable).union(
            *(layer.variables for layer in layers)
        ),
    )


def _require_shared_state(model: Model, site: Site, index: int) -> None:
    """Raises OpError where a subgraph has a state of its own, which only the main one may have."""
    shared = {id(tensor) for tensor in model.subgraphs[0].tensors}
    for tensor in model.subgraphs[index].tensors:
        if tensor.is_variable and id(tensor) not in shared:
            raise site.refuse(f"subgraph {index} keeps a state of its own in tensor {tensor.index}")


def _fits_ram(program: Program, room: Room) -> bool:
    """Whether there is RAM for it, and TFLM would need no less."""
    if room.ram_bytes is not None and program.static_bytes > room.ram_bytes:
        return False
    return program.plan.total_bytes <= bound_tflm_arena(program.model)


def _replace_layers(model: Model, steps: tuple[Step, ...], places: Collection[int]) -> Program:
    """The program with faster layers at these places."""
    offers = {place: offer for place in places if (offer := steps[place].layer.faster) is not None}
    changed = tuple(
        replace(step, layer=offers[place].layer) if place in offers else step
        for place, step in enumerate(steps)
    )
    return replace(_place(model, changed), saves=sum(offer.saves for offer in offers.values()))


def list_refusals(model: Model) -> tuple[tuple[str, OpError], ...]:
    """Everything that keeps the C engine from compiling a model, each after the name of its op, if any.

    Raises:
        ModelError: as `compile_model`.
    """
    model = _fold(model).model
    refusals = []
    for site in _list_sites(model):
        try:
            _compile(site)
        except OpError as error:
            refusals.append((site.op.name, error))
    try:
        _check_ends(model)
    except OpError as error:
        refusals.append(("model", error))
    return tuple(refusals)


def require_compilable(model: Model) -> None:
    """Raises OpError for the first of `list_refusals`, before anything else is done with a model."""
    for _, error in list_refusals(model):
        raise error


def _list_sites(
    model: Model,
    *,
    prefix: str = "model",
    instructions: Instructions = "mve",
    optimize: Optimize = "speed",
    graph: int = 0,
) -> Iterator[Site]:
    for op in model.subgraphs[graph].ops:
        yield Site(
            op=op,
            tensors=model.subgraphs[graph].tensors,
            where=f"{model.where}: subgraph {graph}" if graph else model.where,
            instructions=instructions,
            prefix=prefix,
            optimize=optimize,
            graphs=model.subgraphs,
            compile_graph=partial(_compile_graph, model),
        )


def _compile(site: Site) -> Layer:
    if site.op.name not in EMITTERS:
        raise OpError(
            f"the C engine has no {site.op.name}",
            where=f"{site.where}: op {site.op.index}",
            fix="use --runtime tflm, or replace the layer that becomes it",
        )
    _check_extent(site)
    layer = EMITTERS[site.op.name](site)
    _check_operands(site, layer)
    _check_numbers(site, layer)
    return layer


def _fold(model: Model) -> Settled:
    """The model, checked, without ops that are done while compiling, or by others on the way."""
    model = unpack_constants(model)
    require_valid(model, are_final=True)
    folded = fold_shapes(model)
    if folded is not model:
        require_valid(folded, are_final=True)  # what was computed before is a constant now, and can be judged
    return settle_resources(copy_constants(fold_padding(folded)))


def _check_extent(site: Site) -> None:
    """Raises OpError where there is nothing to compute, for which C has no arrays, or far too much."""
    if not site.op.outputs:
        raise site.refuse("it has no output")
    given = site.op.inputs[:1] if site.op.name == "RESHAPE" else site.op.inputs  # a scalar has no dimensions
    for tensor in (*given, *site.op.outputs):
        if tensor >= 0 and not site.tensors[tensor].elements:
            raise site.refuse(f"tensor {tensor} has no elements")
        if tensor >= 0 and site.tensors[tensor].bytes > _MOST_BYTES:
            raise site.refuse(f"tensor {tensor} takes {site.tensors[tensor].bytes} bytes")


def _check_operands(site: Site, layer: Layer) -> None:
    """Raises OpError where the function of an op reads a constant that is not stored with it."""
    stored = {constant.name for constant in layer.constants}
    for place, tensor in enumerate(layer.inputs):
        if tensor >= 0 and site.tensors[tensor].is_constant and f"operand_{place}" not in stored:
            raise site.refuse(f"its input, tensor {tensor}, is a constant")


def _check_numbers(site: Site, layer: Layer) -> None:
    """Raises OpError for constants of floats that C has no literals for."""
    for constant in layer.constants:
        if constant.values.dtype == np.float32 and not np.isfinite(constant.values).all():
            raise site.refuse(f"its {constant.name} hold NaN or infinity")


def _check_ends(model: Model) -> None:
    for tensor in (*model.inputs, *model.outputs):
        if tensor.dtype not in C_TYPES:
            raise OpError(
                f"the C engine has no tensors of type {tensor.dtype}",
                where=f"{model.where}: tensor {tensor.index}",
                fix="convert with the scheme int8, or use --runtime tflm",
            )


def _place(model: Model, steps: tuple[Step, ...]) -> Program:
    roots: dict[int, int] = {}
    for step in steps:
        if step.layer.is_alias:
            source = step.layer.inputs[0]
            roots[step.layer.outputs[0]] = roots.get(source, source)

    def root(tensor: int) -> int:
        return roots.get(tensor, tensor)

    graph = model.subgraphs[0]
    homes: dict[int, tuple[str, int]] = {}
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for place, tensor in enumerate(tensors):
            homes.setdefault(root(tensor), (side, place))
    elsewhere = {*homes, *(t.index for t in model.tensors if t.is_constant or t.is_variable)}
    sizes = {
        root(tensor): model.tensors[root(tensor)].bytes
        for step in steps
        for tensor in (*step.layer.inputs, *step.layer.outputs)
        if tensor >= 0 and root(tensor) not in elsewhere
    }
    order = find_order(_list_tasks(model, steps, root), sizes=sizes)
    orders = dict.fromkeys((steps, tuple(steps[place] for place in order)))
    programs = [_plan(model, each, roots=roots, homes=homes, sizes=sizes) for each in orders]
    return min(programs, key=lambda program: program.plan.total_bytes)


def _list_tasks(model: Model, steps: tuple[Step, ...], root: Callable[[int], int]) -> list[Task]:
    """What each step needs memory for; those of the same variable stay in their order."""
    tasks: list[Task] = []
    last_user: dict[int, int] = {}
    for place, step in enumerate(steps):
        layer = step.layer
        reads = {root(tensor) for tensor in layer.inputs if tensor >= 0}
        writes = set() if layer.is_alias else {root(tensor) for tensor in layer.outputs}
        state = {tensor for tensor in reads | writes if model.tensors[tensor].is_variable}
        variables = sorted(state | layer.variables)
        tasks.append(
            Task(
                reads=tuple(reads - state),
                writes=tuple(writes - state),
                after=tuple(last_user[tensor] for tensor in variables if tensor in last_user),
                scratch_bytes=layer.scratch_bytes,
                overlaps={root(tensor): slack for tensor, slack in layer.overlaps.items()},
            )
        )
        last_user |= dict.fromkeys(variables, place)
    return tasks


def _plan(
    model: Model,
    steps: tuple[Step, ...],
    *,
    roots: Mapping[int, int],
    homes: Mapping[int, tuple[str, int]],
    sizes: Mapping[int, int],
) -> Program:
    """The arena for steps in this order; `sizes` are bytes of the roots that lie in it."""
    spans: dict[int, list[int]] = {}
    for now, step in enumerate(steps):
        for tensor in (*step.layer.inputs, *step.layer.outputs):
            root = roots.get(tensor, tensor)
            if root in sizes:
                spans.setdefault(root, [now, now])[1] = now
    tensor_blocks = {tensor: place for place, tensor in enumerate(spans)}
    blocks = []
    for tensor, (first, last) in spans.items():
        sources = {roots.get(source, source): s for source, s in steps[first].layer.overlaps.items()}
        over = {
            tensor_blocks[source]: slack
            for source, slack in sources.items()
            if source in tensor_blocks and spans[source][1] == first
        }
        name = f"tensor {tensor}"
        blocks.append(Block(name=name, size_bytes=sizes[tensor], first=first, last=last, over=over))
    scratch_blocks = {}
    for now, step in enumerate(steps):
        if step.layer.scratch_bytes:
            scratch_blocks[now] = len(blocks)
            size = step.layer.scratch_bytes
            blocks.append(Block(name=f"scratch of {step.label}", size_bytes=size, first=now, last=now))
    return Program(
        model=model,
        steps=steps,
        roots=roots,
        homes=homes,
        blocks=tuple(blocks),
        plan=plan_memory(blocks),
        tensor_blocks=tensor_blocks,
        scratch_blocks=scratch_blocks,
    )
