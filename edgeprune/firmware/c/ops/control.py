"""IF and WHILE, whose subgraphs become functions."""

from collections.abc import Sequence
from typing import Any

from edgeprune.firmware.c.layer import C_TYPES, Constant, Layer, Routine, Site, describe, emits, render
from edgeprune.tflite.calls import list_calls
from edgeprune.tflite.model import Tensor


@emits("IF")
def emit_if(site: Site) -> Layer:
    """One of two subgraphs, as the first input says."""
    given = [site.input(at) for at in range(1, len(site.op.inputs))]
    made = [site.output(at) for at in range(len(site.op.outputs))]
    _require_truth(site, site.input())
    for index in list_calls(site.op):
        _require_ends(site, index, given=given, made=made)
    routines = _compile(site)
    arguments = [f"input_{at + 1}" for at in range(len(given))] + [f"output_{at}" for at in range(len(made))]
    branches = [_call(routine, arguments) for routine in routines]
    values = {"then": branches[0], "otherwise": branches[1]}
    return _make_layer(site, "if.c", routines, values, scratch_bytes=_most_arena(routines))


@emits("WHILE")
def emit_while(site: Site) -> Layer:
    """A subgraph again and again, as long as another says so."""
    values = [site.output(at) for at in range(len(site.op.outputs))]
    condition, body = list_calls(site.op)
    _require_ends(site, condition, given=values, made=[])
    _require_truth(site, _end(site, condition, site.graphs[condition].outputs[0]))
    _require_ends(site, body, given=values, made=values)
    for at, tensor in enumerate(values):
        _require_same(site, site.input(at), tensor)
    ask, do = _compile(site)
    places, arena_bytes = [], _most_arena((ask, do))
    scratch_bytes = -(-arena_bytes // 4) * 4
    for tensor in values:
        places.append(scratch_bytes)
        scratch_bytes += -(-tensor.bytes // 4) * 4
    outputs, following = ([f"{name}_{at}" for at in range(len(values))] for name in ("output", "next"))
    ctypes = [C_TYPES[tensor.dtype] for tensor in values]
    pieces = {
        "pointers": "\n".join(
            f"    {ctype} *const next_{at} = ({ctype} *)(void *)&scratch[{place // 4}];"
            for at, (ctype, place) in enumerate(zip(ctypes, places, strict=True))
        ),
        "begin": "\n".join(
            f"    copy_bytes(output_{at}, input_{at}, {tensor.bytes});" for at, tensor in enumerate(values)
        ),
        "ask": _call(ask, [*outputs, "&goes_on"]),
        "do": _call(do, [*outputs, *following]),
        "move": "\n".join(
            f"        copy_bytes(output_{at}, next_{at}, {tensor.bytes});" for at, tensor in enumerate(values)
        ),
    }
    return _make_layer(site, "while.c", (ask, do), pieces, scratch_bytes=scratch_bytes, kernels=("bytes",))


def _compile(site: Site) -> tuple[Routine, ...]:
    """The subgraphs of an op, those that it names twice once."""
    if site.compile_graph is None:
        raise site.refuse("its subgraphs are not given")
    known = {index: site.compile_graph(site, index) for index in dict.fromkeys(list_calls(site.op))}
    return tuple(known[index] for index in list_calls(site.op))


def _make_layer(
    site: Site,
    template: str,
    routines: tuple[Routine, ...],
    values: dict[str, Any],
    *,
    scratch_bytes: int,
    kernels: tuple[str, ...] = (),
) -> Layer:
    parameters = [f"const {C_TYPES[site.input(at).dtype]} *input_{at}" for at in range(len(site.op.inputs))]
    parameters += [f"{C_TYPES[site.output(at).dtype]} *output_{at}" for at in range(len(site.op.outputs))]
    parameters += ["int32_t *scratch"] if scratch_bytes else []
    each = dict.fromkeys(routines)
    function = render(
        template, name=site.label, comment=describe(site), parameters=", ".join(parameters), **values
    )
    return Layer(
        function="".join(routine.function for routine in each) + function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        constants=(
            *(constant for routine in each for constant in routine.constants),
            *(
                Constant(name=f"operand_{at}", values=site.constant(at).reshape(-1))
                for at in range(len(site.op.inputs))
                if site.input(at).is_constant
            ),
        ),
        kernels=(*kernels, *sorted({kernel for routine in each for kernel in routine.kernels})),
        scratch_bytes=scratch_bytes,
        variables=frozenset(tensor for routine in each for tensor in routine.variables),
    )


def _most_arena(routines: Sequence[Routine]) -> int:
    return max(routine.arena_bytes for routine in routines)


def _call(routine: Routine, arguments: Sequence[str]) -> str:
    scratch = ["scratch"] if routine.arena_bytes else []
    return f"{routine.name}({', '.join([*arguments, *scratch])});"


def _end(site: Site, graph: int, tensor: int) -> Tensor:
    return site.graphs[graph].tensors[tensor]


def _require_ends(site: Site, index: int, *, given: Sequence[Tensor], made: Sequence[Tensor]) -> None:
    """Raises OpError where a subgraph's ends are of other types or sizes than what the op hands over."""
    graph = site.graphs[index]
    if len(given) != len(graph.inputs) or (made and len(made) != len(graph.outputs)):
        raise site.refuse(f"subgraph {index} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs")
    for outer, inner in zip((*given, *made), (*graph.inputs, *graph.outputs), strict=False):
        _require_same(site, outer, _end(site, index, inner))


def _require_same(site: Site, outer: Tensor, inner: Tensor) -> None:
    if outer.dtype not in C_TYPES:
        raise site.refuse(f"it hands over elements of type {outer.dtype}")
    if (outer.dtype, outer.elements) != (inner.dtype, inner.elements):
        raise site.refuse(
            f"a subgraph has {inner.elements} elements of {inner.dtype} for {outer.elements} of {outer.dtype}"
        )


def _require_truth(site: Site, tensor: Tensor) -> None:
    if tensor.dtype != "bool" or tensor.elements != 1:
        raise site.refuse(f"its condition is {tensor.elements} elements of {tensor.dtype}, not one of bool")
