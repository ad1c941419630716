"""Which activation of a quantized file is which one of the float file it was made of."""

from collections.abc import Iterator

from edgeprune.tflite.model import Model, Op

CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
"""Ops whose output is their input in other numbers."""


def pair_tensors(plain: Model, quantized: Model) -> dict[int, int]:
    """Activation of the quantized file → the same one in the float file, in order of execution.

    An op is the one of the same name that reads the same activations. The quantizer sorts ops anew and makes
    up names, so neither order nor names decide, but where several ops read the same (queries, keys and
    values, for example), and where quantization has changed the ops.
    """
    pairs = {q.index: p.index for p, q in zip(plain.inputs, quantized.inputs, strict=True)}
    copies = dict(pairs)  # and what conversions make of them
    named = {plain.tensors[i].name: i for op in plain.ops for i in op.outputs}
    waiting: dict[tuple[str, tuple[int | None, ...]], list[Op]] = {}
    for op in plain.ops:
        waiting.setdefault((op.name, _read(plain, op)), []).append(op)
    for op in quantized.ops:
        read = tuple(copies.get(index) for index in _read(quantized, op))
        if op.name in CONVERSIONS:
            copies.update({i: copy for i, copy in zip(op.outputs, read, strict=True) if copy is not None})
            continue
        alike = waiting.get((op.name, read), [])
        twin = next(_rank(alike, plain, names=_names(quantized, op)), None)
        if twin is not None:
            alike.remove(twin)
            found = dict(zip(op.outputs, twin.outputs, strict=True))
        else:
            found = {i: named[name] for i in op.outputs if (name := quantized.tensors[i].name) in named}
        pairs.update(found)
        copies.update(found)
    return {i: other for i, other in pairs.items() if quantized.tensors[i].scales.size == 1}


def _rank(ops: list[Op], model: Model, *, names: tuple[str, ...]) -> Iterator[Op]:
    """Those of the same names first, else in order."""
    yield from (op for op in ops if _names(model, op) == names)
    yield from ops


def _names(model: Model, op: Op) -> tuple[str, ...]:
    return tuple(model.tensors[index].name for index in op.outputs)


def _read(model: Model, op: Op) -> tuple[int, ...]:
    """The activations that an op reads; constants, variables and absent inputs are left out."""
    present = (model.tensors[i] for i in op.inputs if i >= 0)
    return tuple(tensor.index for tensor in present if not (tensor.is_constant or tensor.is_variable))
