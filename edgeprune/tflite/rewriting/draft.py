"""A subgraph that is being rewritten: new tensors, constants and ops in the schema's own objects."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.schema import enum_names, load_schema


class Draft:
    """New ops of one subgraph, in the order they are written.

    Attributes:
        made: the operators that were written since the last `take`.
    """

    def __init__(self, packed: Any, place: int) -> None:
        self._packed, self._graph = packed, packed.subgraphs[place]
        self.made: list[Any] = []

    def take(self) -> list[Any]:
        """The operators that were written, which are forgotten here."""
        made, self.made = self.made, []
        return made

    def tensor(self, shape: Sequence[int], dtype: str, *, near: int, scaled_as: int | None = None) -> int:
        """A new activation.

        Args:
            shape: its dimensions.
            dtype: as in `Tensor.dtype`.
            near: a tensor of the layer it belongs to, whose name it takes.
            scaled_as: a tensor that has its scale and zero point; None where it has none.
        """
        schema = load_schema()
        made = schema.TensorT()
        made.shape, made.hasRank = np.array(shape, np.int32), True
        made.type = getattr(schema.TensorType, dtype.upper())
        made.name = self._graph.tensors[near].name
        if scaled_as is not None:
            made.quantization = self._graph.tensors[scaled_as].quantization
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def dtype_of(self, index: int) -> str:
        """Type of a tensor, as in `Tensor.dtype`."""
        return enum_names("TensorType")[self._graph.tensors[index].type].lower()

    def quantize(self, index: int, *, scale: float, zero_point: int) -> None:
        """Gives a tensor a scale and a zero point."""
        quantization = load_schema().QuantizationParametersT()
        quantization.scale = np.array([scale], np.float32)
        quantization.zeroPoint = np.array([zero_point], np.int64)
        self._graph.tensors[index].quantization = quantization

    def reroute(self, old: int, new: int) -> None:
        """Lets all ops that read a tensor read another one."""
        for operator in self._graph.operators:
            operator.inputs = np.where(operator.inputs == old, new, operator.inputs).astype(np.int32)

    def constant(self, values: Array, *, near: int, scaled_as: int | None = None) -> int:
        """A new constant of the array's own type, shape and values; the rest as in `tensor`."""
        schema = load_schema()
        index = self.tensor(values.shape, values.dtype.name, near=near, scaled_as=scaled_as)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._packed.buffers.append(buffer)
        self._graph.tensors[index].buffer = len(self._packed.buffers) - 1
        return index

    def op(self, name: str, inputs: Sequence[int], output: int, options: Any = None) -> int:
        """Writes an op, and gives back its output."""
        schema = load_schema()
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(name)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.made.append(operator)
        return output

    def _code(self, name: str) -> int:
        schema = load_schema()
        number, version = getattr(schema.BuiltinOperator, name), _VERSIONS.get(name, 1)
        for index, code in enumerate(self._packed.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
        self._packed.operatorCodes.append(code)
        return len(self._packed.operatorCodes) - 1


_VERSIONS = {"GATHER": 2, "CONCATENATION": 2}
"""Of the ops that take int8 in these versions alone."""
