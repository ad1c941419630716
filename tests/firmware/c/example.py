"""What examples of ops are made of, and how they become one model."""

from dataclasses import dataclass

import numpy as np
from small_models import model, tensor

from edgeprune.tflite.schema import load_schema

SAMPLES = 12


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Example:
    """One op with its tensors: `inputs` and `outputs` are places among them; `head` are ops before it."""

    name: str
    op: str
    tensors: tuple
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: object = None
    head: tuple = ()


def options_of(kind, **values):
    """The options of an op, for example `options_of("Pool2D", stride_w=2)`; enums are given as numbers."""
    made = getattr(load_schema(), f"{kind}OptionsT")()
    for name, value in values.items():
        parts = name.split("_")
        setattr(made, parts[0] + "".join(part.capitalize() for part in parts[1:]), value)
    return made


ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
PADDINGS = {"SAME": 0, "VALID": 1}


def int8(shape, *, scale=0.05, zero_point=0, data=None):
    return tensor(shape, "INT8", scale=scale, zero_point=zero_point, data=data)


def typed(dtype, shape, *, scale=0.05, zero_point=0):
    return tensor(shape, dtype.upper(), scale=None if dtype == "float32" else scale, zero_point=zero_point)


def leave_out(weights, sparsity):
    """The weights, so many of them 0; the others stay what they are."""
    chance = np.random.default_rng(9).random(weights.shape)
    return np.where(chance < sparsity, 0, weights).astype(np.int8)


def out_size(size, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size + stride - reach) // stride


def binary(
    name,
    op,
    left=(1, 4, 5, 3),
    right=(1, 4, 5, 3),
    *,
    scales=(0.05, 0.03, 0.07),
    zeros=(3, -7, 5),
    activation="NONE",
    constant=False,
):
    shape = np.broadcast_shapes(left, right)
    data = np.random.default_rng(1).integers(-128, 128, right).astype(np.int8) if constant else None
    tensors = (
        int8(left, scale=scales[0], zero_point=zeros[0]),
        int8(right, scale=scales[1], zero_point=zeros[1], data=data),
        int8(shape, scale=scales[2], zero_point=zeros[2]),
    )
    kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul"}.get(op)
    options = options_of(kind, fused_activation_function=ACTIVATIONS[activation]) if kind else None
    return Example(name=name, op=op, tensors=tensors, inputs=(0, 1), outputs=(2,), options=options)


def unary(name, op, *, shape=(1, 256), scale=0.05, zero=0, out_scale=0.05, out_zero=0, options=None):
    tensors = (int8(shape, scale=scale, zero_point=zero), int8(shape, scale=out_scale, zero_point=out_zero))
    return Example(name=name, op=op, tensors=tensors, inputs=(0,), outputs=(1,), options=options)


def mover(name, op, shape, out_shapes, *, constants=(), first=False, options=None, zero=9):
    """An op that moves elements; int32 constants come after the input, or before it with `first`."""
    known = [tensor(np.shape(each), "INT32", data=np.array(each, np.int32)) for each in constants]
    image = [int8(shape, zero_point=zero)]
    inputs = [*known, *image] if first else [*image, *known]
    outputs = [int8(each, zero_point=zero) for each in out_shapes]
    return Example(
        name=name,
        op=op,
        tensors=(*inputs, *outputs),
        inputs=tuple(range(len(inputs))),
        outputs=tuple(range(len(inputs), len(inputs) + len(outputs))),
        options=options,
    )


def join(examples) -> tuple[bytes, list[str]]:
    """One model of all examples side by side, and for each of its outputs the example's name."""
    tensors, ops, inputs, outputs, names = [], [], [], [], []
    for example in examples:
        start = len(tensors)
        tensors += example.tensors
        run = [*example.head, (example.op, example.inputs, example.outputs, example.options)]
        made = {start + at for op in run for at in op[2]}
        for name, sources, targets, options in run:
            places = [start + at if at >= 0 else -1 for at in sources]
            ops.append((name, places, [start + at for at in targets], options))
            inputs += [
                at
                for at in places
                if at >= 0 and at not in made and tensors[at].content is None and not tensors[at].isVariable
            ]
        outputs += [start + at for at in example.outputs]
        names += [example.name] * len(example.outputs)
    return model(tensors, ops, inputs=inputs, outputs=outputs), names


def random_inputs(parsed, *, samples=SAMPLES, seed=0):
    """Random inputs; the first samples are the smallest value, the largest, all in turn, both in turn."""
    rng = np.random.default_rng(seed)
    arrays = []
    for each in parsed.inputs:
        if each.dtype == "float32":
            array = (rng.standard_normal((samples, *each.shape)) * 3).astype(np.float32)
            array[0].reshape(-1)[:] = (
                np.arange(each.elements) - 128
            ) * 0.25  # halves, where the scale is 0.5
            arrays.append(array)
            continue
        if each.dtype == "bool":
            arrays.append(rng.integers(0, 2, (samples, *each.shape)).astype(bool))
            continue
        low, high = np.iinfo(each.dtype).min, np.iinfo(each.dtype).max
        array = rng.integers(low, high + 1, (samples, *each.shape)).astype(each.dtype)
        array[0], array[1] = low, high
        array[2].reshape(-1)[:] = (np.arange(each.elements) + low).astype(each.dtype)
        array[3].reshape(-1)[:] = np.where(np.arange(each.elements) % 2, high, low)
        arrays.append(array)
    return tuple(arrays)
