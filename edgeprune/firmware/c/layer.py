"""What the compiler hands to an op's emitter, and what it gets back."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import OpError
from edgeprune.registry import Registry
from edgeprune.tflite.model import Op, Subgraph, Tensor, constant_values

Instructions = Literal["plain", "dsp", "mve"]
"""What kernels may use: C alone; SMLAD and SXTB16; or Helium's vectors as well."""

IN_PLACE = None

LIBRARY = "math"
"""The kernel of layers that call a C library's functions."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_./:-]+")
"""What of a name does not go into a comment: stars, above all, which might end it."""
_LONGEST_NAME = 60
_ONE_SCALE = ("int8", "uint8", "int16")

Optimize = Literal["speed", "size", "ram"]

C_TYPES = {
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "float32": "float",
}


class _Options(dict[str, Any]):
    """The options of an op."""

    site: "Site"

    def __missing__(self, key: str) -> NoReturn:
        raise self.site.refuse(f"the file does not say its {key}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Routine:
    """A subgraph, compiled: a C function of its inputs, its outputs, and its arena if it has one.

    Attributes:
        name: of the function.
        function: its definition, after those of its layers.
        constants: arrays it reads.
        kernels: files of `templates/c/kernels` it calls.
        arena_bytes: what it works in.
        variables: tensors of the state that it reads or writes.
    """

    name: str
    function: str
    constants: tuple["Constant", ...]
    kernels: frozenset[str]
    arena_bytes: int
    variables: frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One op of the model, as its emitter sees it.

    Attributes:
        op: the op.
        tensors: all tensors of its graph.
        where: the file's name, for messages.
        instructions: what the core can execute.
        prefix: start of every name in the generated C, so that several models can be linked together.
        optimize: what a choice between kernels goes by.
        graphs: all subgraphs of the model.
        compile_graph: compiles one of them, by its index, for an op that runs it.
    """

    op: Op
    tensors: tuple[Tensor, ...]
    where: str
    instructions: Instructions
    prefix: str = "model"
    optimize: Optimize = "speed"
    graphs: tuple[Subgraph, ...] = ()
    compile_graph: "Callable[[Site, int], Routine] | None" = None

    def __post_init__(self) -> None:
        """Make an option that the file does not have an OpError where it is asked for."""
        options = _Options(self.op.options)
        object.__setattr__(self, "op", replace(self.op, options=options))
        options.site = self

    @property
    def label(self) -> str:
        """Name of its C function: the model's, the op's, and its place."""
        return f"{self.prefix}_{self.op.name.lower()}_{self.op.index}"

    def has_input(self, position: int) -> bool:
        """Whether that input is given."""
        return position < len(self.op.inputs) and self.op.inputs[position] >= 0

    def input(self, position: int = 0) -> Tensor:
        """An input. Raises OpError where it is left out."""
        if not self.has_input(position):
            raise self.refuse(f"input {position} is missing")
        return self.tensors[self.op.inputs[position]]

    def output(self, position: int = 0) -> Tensor:
        """An output."""
        return self.tensors[self.op.outputs[position]]

    def constant(self, position: int) -> NDArray[Any]:
        """The values of a constant input. Raises OpError where it is computed by the model."""
        tensor = self.input(position)
        if not tensor.is_constant:
            raise self.refuse(f"input {position} is computed by the model, and must be a constant")
        return constant_values(tensor, where=self.where)

    def place_axis(self, axis: int, rank: int) -> int:
        """A dimension counted from the first. Raises OpError where there is none."""
        if not -rank <= axis < rank:
            raise self.refuse(f"there is no dimension {axis} of {rank}")
        return axis % rank

    def row_length(self) -> int:
        """The last dimension of the input. Raises OpError where it has none."""
        if not self.input().shape:
            raise self.refuse("its input has no dimensions")
        return self.input().shape[-1]

    def require(self, dtype: str, *tensors: Tensor) -> None:
        """Raises OpError for a tensor of another type, or a quantized one without exactly one scale."""
        for tensor in tensors:
            if tensor.dtype != dtype:
                raise self.refuse(f"its {tensor.dtype} tensor {tensor.index} would have to be {dtype}")
            if (
                dtype in _ONE_SCALE
                and tensor.scales.size != 1
                and not (tensor.is_constant and tensor.scales.size)
            ):
                raise self.refuse(
                    f"its {dtype} tensor {tensor.index} has {tensor.scales.size} scales, not one"
                )

    def require_integers(self, *tensors: Tensor) -> str:
        """The one type of quantized tensors, "int8" or "int16". Raises OpError where there is none."""
        dtype = "int16" if tensors[0].dtype == "int16" else "int8"
        self.require(dtype, *tensors)
        for tensor in tensors:
            if dtype == "int16" and tensor.zero_points.any():
                raise self.refuse(f"its int16 tensor {tensor.index} has a zero point that is not 0")
        return dtype

    def refuse(self, why: str) -> OpError:
        """The error for an op that the C engine cannot compile."""
        return OpError(
            f"the C engine cannot compile {self.op.name}",
            where=f"{self.where}: op {self.op.index}",
            why=why,
            fix="use --runtime tflm",
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Constant:
    """An array in `weights.c`.

    Attributes:
        name: what the layer's function calls it, after the layer's own name.
        values: its elements; the dtype says the C type.
        ctype: another C type than the dtype's, for example of a record.
    """

    name: str
    values: NDArray[Any]
    ctype: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layer:
    """One op, compiled.

    Its function takes the layer's inputs, then its outputs, then the scratch memory if it asks for any.

    Attributes:
        function: definition of the C function that bears the site's label; "" where nothing is left to do
            because the output is the input under another name.
        inputs, outputs: tensors that the function reads and writes, in the order of its arguments.
        constants: arrays it reads.
        kernels: files of `templates/c/kernels` it calls.
        scratch_bytes: memory it needs while it runs.
        overlaps: input tensor → slack in bytes: the output may lie over the input, if it starts at most
            so many bytes after it (at least so many before it, if negative), because the function has read
            what it overwrites; `IN_PLACE` where only the very same address will do.
        faster: the same op by a kernel that takes more flash; None where there is none.
        variables: tensors of the state that it reads or writes beside its inputs and outputs.
    """

    function: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[Constant, ...] = ()
    kernels: tuple[str, ...] = ()
    scratch_bytes: int = 0
    overlaps: Mapping[int, int | None] = field(default_factory=dict)
    faster: "Faster | None" = None
    variables: frozenset[int] = frozenset()

    @property
    def is_alias(self) -> bool:
        """Whether the output is the input's memory under another name."""
        return not self.function

    @property
    def constant_bytes(self) -> int:
        """Of the arrays it reads."""
        return sum(constant.values.nbytes for constant in self.constants)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Faster:
    """Another layer that may take the place of one.

    Attributes:
        layer: which.
        saves: instructions, estimated; more than 0.
    """

    layer: Layer
    saves: float


class Emitter(Protocol):
    """Compiles one kind of op."""

    def __call__(self, site: Site) -> Layer:
        """The op, compiled. Raises OpError where the C engine lacks what the op asks for."""


EMITTERS: Registry[Emitter] = Registry("op")
"""Name of the op → what compiles it."""


def emits(*names: str) -> Callable[[Emitter], Emitter]:
    """Decorator: the function compiles these ops."""

    def register(emitter: Emitter) -> Emitter:
        for name in names:
            EMITTERS.add(name, emitter)
        return emitter

    return register


@cache
def read_template(name: str) -> str:
    """The text of a file of `templates/c`."""
    return files("edgeprune.firmware").joinpath("templates", "c", name).read_text("utf-8")


def render(template: str, /, **values: object) -> str:
    """A template of `templates/c` with its $names replaced.

    Args:
        template: its file, without `.in`.
        values: what each name stands for.
    """
    return Template(read_template(f"{template}.in")).substitute({k: str(v) for k, v in values.items()})


def shape_4d(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The shape with ones in front, up to four dimensions."""
    padded = (1,) * (4 - len(shape)) + tuple(shape)
    return padded[0], padded[1], padded[2], padded[3]


def describe(site: Site, *, source: int = 0) -> str:
    """The op, its shapes, and what the file calls its output, for a comment."""
    shapes = [
        "x".join(map(str, site.tensors[i].shape[1:])) for i in (site.op.inputs[source], site.op.outputs[0])
    ]
    name = _UNSAFE.sub("_", site.output().name.split(";")[0])[:_LONGEST_NAME]
    return f"{site.op.name} {shapes[0]} to {shapes[1]}" + (f", {name}" if name else "")


def elementwise(*, of: int) -> Mapping[int, int | None]:
    """`Layer.overlaps` of a function that writes each element after reading it, and never looks back."""
    return {of: 0}


def name_type(dtype: str) -> dict[str, str]:
    """Values for a template that is made for several types of integers."""
    return {
        "type": C_TYPES[dtype],
        "clamp": f"clamp_{dtype}",
        "lowest": f"{dtype.upper()}_MIN",
        "highest": f"{dtype.upper()}_MAX",
    }


def clamp_of(dtype: str) -> str:
    """The kernel that holds the function of `name_type`."""
    return "clamp" if dtype == "int8" else "clamp_wide"


def zero_point(tensor: Tensor) -> int:
    """The zero point of a tensor with one scale."""
    return int(tensor.zero_points[0]) if tensor.zero_points.size else 0


def scale(tensor: Tensor) -> np.float32:
    """The scale of a tensor with one scale."""
    return np.float32(tensor.scales[0])


def format_float(value: np.float32) -> str:
    """A C literal of exactly this float."""
    text = f"{value:.9g}"
    return f"{text}F" if "." in text or "e" in text else f"{text}.0F"
