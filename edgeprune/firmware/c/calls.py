"""The C that calls a program's layers one after the other, in the model's function or a subgraph's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgeprune.firmware.c.layer import C_TYPES, render
from edgeprune.firmware.c.program import Program, Step
from edgeprune.tflite.model import Model, Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Where a function finds its arena, and what stands between its calls.

    Attributes:
        bytes, words: C expressions of arrays over it.
        fence: a statement, without its semicolon.
    """

    bytes: str
    words: str
    fence: str


_SCRATCH = Memory(bytes="bytes", words="scratch", fence="EDGEPRUNE_KEEP_ORDER()")


def name_ends(model: Model) -> dict[str, Tensor]:
    """Name of each argument of the invoke function → its tensor, inputs first."""
    sides = (("input", model.inputs), ("output", model.outputs))
    return {
        number_end(side, place, tensors): tensor
        for side, tensors in sides
        for place, tensor in enumerate(tensors)
    }


def format_parameters(model: Model) -> str:
    """The arguments of the invoke function."""
    return ", ".join(
        f"{'const ' if name.startswith('input') else ''}{C_TYPES[tensor.dtype]} *{name}"
        for name, tensor in name_ends(model).items()
    )


def number_end(word: str, place: int, of: tuple[Tensor, ...]) -> str:
    """Name of an argument: with its place where there are several."""
    return word if len(of) == 1 else f"{word}_{place}"


def format_routine(program: Program, *, name: str) -> str:
    """The function of a subgraph, with its arena as the last argument if it has one.

    Args:
        program: the subgraph, compiled.
        name: of the function.
    """
    has_arena = program.plan.total_bytes > 0
    pointers = list(define_pointers(program, _SCRATCH))
    if pointers:
        pointers.insert(0, "    int8_t *const bytes = (int8_t *)(void *)scratch;")
    return render(
        "routine.c",
        name=name,
        parameters=format_parameters(program.model) + (", int32_t *scratch" if has_arena else ""),
        pointers="".join(f"{line}\n" for line in pointers),
        calls=format_calls(program, _SCRATCH),
    )


def define_pointers(program: Program, memory: Memory) -> Iterator[str]:
    """Definitions of the pointers to tensors in the arena."""
    for tensor, block in program.tensor_blocks.items():
        record = program.model.tensors[tensor]
        ctype = C_TYPES[record.dtype]
        where = f"&{memory.bytes}[{program.plan.offsets[block]}]"
        cast = where if ctype == "int8_t" else f"({ctype} *)(void *){where}"
        shape = "x".join(map(str, record.shape))
        yield f"    {ctype} *const tensor_{tensor} = {cast}; /* {shape} */"


def format_calls(program: Program, memory: Memory) -> str:
    """The calls; what none of them reads is named as such, for compilers that ask."""
    calls = "\n".join(_calls(program, memory))
    unused = [name for name in name_ends(program.model) if not re.search(rf"\b{name}\b", calls)]
    return "\n".join([*(f"    (void){name};" for name in unused), calls])


def _calls(program: Program, memory: Memory) -> Iterator[str]:
    for now, step in enumerate(program.steps):
        layer = step.layer
        if layer.is_alias:
            continue
        arguments = [
            _point(program, step, place, tensor) for place, tensor in enumerate(layer.inputs) if tensor >= 0
        ]
        arguments += [_point(program, step, 0, tensor) for tensor in layer.outputs]
        if now in program.scratch_blocks:
            arguments.append(f"&{memory.words}[{program.plan.offsets[program.scratch_blocks[now]] // 4}]")
        yield f"    {step.label}({', '.join(arguments)});\n    {memory.fence};"
    yield from list_copies(program)


def _point(program: Program, step: Step, place: int, tensor: int) -> str:
    """The C expression of a tensor."""
    model, root = program.model, program.root(tensor)
    if root in program.homes:
        return _name_end(program, *program.homes[root])
    if model.tensors[root].is_constant:
        return f"{step.label}_operand_{place}"
    return f"state_{root}" if model.tensors[root].is_variable else f"tensor_{root}"


def _name_end(program: Program, side: str, place: int) -> str:
    return number_end(side, place, program.model.inputs if side == "input" else program.model.outputs)


def list_copies(program: Program) -> Iterator[str]:
    """Calls for outputs that no layer writes, because they are an input or another output."""
    for place, output in enumerate(program.model.outputs):
        home = program.homes[program.root(output.index)]
        if home != ("output", place):
            target, source = _name_end(program, "output", place), _name_end(program, *home)
            yield f"    copy_bytes({target}, {source}, {output.bytes});"
