"""Products of matrices: dense, batched, recurrent."""

from collections.abc import Iterator

import numpy as np
from small_models import tensor

from tests.firmware.c.example import (
    ACTIVATIONS,
    Example,
    int8,
    leave_out,
    options_of,
)


def fully_connected(
    name,
    *,
    rows=1,
    inputs=16,
    outputs=8,
    activation="NONE",
    zeros=(3, -5),
    per_channel=False,
    largest=127,
    sparsity=0.0,
    out_scale=None,
    in_scale=0.05,
    weight_scale=0.0041,
    seed=0,
):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-largest, largest + 1, (outputs, inputs)).astype(np.int8)
    weights = leave_out(weights, sparsity)
    scales = rng.uniform(0.002, 0.006, outputs) if per_channel else np.array([weight_scale])
    out_scale = out_scale or in_scale * 0.004 * largest * inputs**0.5 * 0.5
    tensors = (
        int8((rows, inputs), scale=in_scale, zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        tensor(
            (outputs,),
            "INT32",
            scale=in_scale * scales,
            data=rng.integers(-3000, 3000, outputs).astype(np.int32),
        ),
        int8((rows, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    options = options_of("FullyConnected", fused_activation_function=ACTIVATIONS[activation])
    return Example(
        name=name, op="FULLY_CONNECTED", tensors=tensors, inputs=(0, 1, 2), outputs=(3,), options=options
    )


def lstm(
    name,
    *,
    steps=4,
    inputs=6,
    units=5,
    zeros=(3, -5),
    cell_power=-11,
    clip=10.0,
    lowest=-127,
    weight_scale=0.006,
    seed=0,
):
    rng = np.random.default_rng(seed)
    cell_scale = 2.0**cell_power
    weights = [
        int8((units, n), scale=weight_scale, data=rng.integers(lowest, 128, (units, n)).astype(np.int8))
        for n in [inputs] * 4 + [units] * 4
    ]
    biases = [
        tensor((units,), "INT32", scale=0.0003, data=rng.integers(-3000, 3000, units).astype(np.int32))
        for _ in range(4)
    ]
    states = [
        int8((1, units), scale=0.008, zero_point=zeros[1]),
        tensor((1, units), "INT16", scale=cell_scale),
    ]
    for state in states:
        state.isVariable = True
    tensors = (
        int8((1, steps, inputs), zero_point=zeros[0]),
        *weights,
        *biases,
        *states,
        int8((1, steps, units), scale=0.008, zero_point=zeros[1]),
    )
    places = (*range(9), -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1)
    options = options_of("UnidirectionalSequenceLSTM", fused_activation_function=4, cell_clip=clip)
    return Example(
        name=name,
        op="UNIDIRECTIONAL_SEQUENCE_LSTM",
        tensors=tensors,
        inputs=places,
        outputs=(15,),
        options=options,
    )


def svdf(name, *, batches=1, inputs=6, units=4, rank=2, memory=5, dtype=np.int16, state_zero=0):
    rng = np.random.default_rng(memory)
    filters, limits = units * rank, np.iinfo(dtype)
    times = rng.integers(limits.min // 16, limits.max // 16, (filters, memory)).astype(dtype)
    state = tensor(
        (batches, filters * memory), np.dtype(dtype).name.upper(), scale=0.01, zero_point=state_zero
    )
    state.isVariable = True
    tensors = (
        int8((batches, inputs), zero_point=3),
        int8((filters, inputs), scale=0.01, data=rng.integers(-127, 128, (filters, inputs)).astype(np.int8)),
        tensor(times.shape, np.dtype(dtype).name.upper(), scale=1 / limits.max, data=times),
        tensor(
            (units,), "INT32", scale=0.01 / limits.max, data=rng.integers(-3000, 3000, units).astype(np.int32)
        ),
        state,
        int8((batches, units), scale=0.002, zero_point=-128),
    )
    options = options_of("SVDF", rank=rank, fused_activation_function=ACTIVATIONS["RELU"])
    return Example(
        name=name, op="SVDF", tensors=tensors, inputs=(0, 1, 2, 3, 4), outputs=(5,), options=options
    )


def fully_connected_examples() -> Iterator[Example]:
    for inputs in (1, 3, 16, 20, 33):
        for outputs in (1, 8, 10):
            yield fully_connected(f"dense {inputs} to {outputs}", inputs=inputs, outputs=outputs)
    for outputs in (2, 3, 4, 9, 11):
        yield fully_connected(f"dense of rows to {outputs}", rows=2, inputs=20, outputs=outputs)
    yield fully_connected("dense of rows", rows=3, inputs=12, outputs=5)
    yield fully_connected("dense per channel", per_channel=True)
    yield fully_connected("dense zero points low", zeros=(-128, -128), activation="RELU")
    yield fully_connected("dense zero points high", zeros=(127, 127))
    # Halves: rounded otherwise if the product of the scales were computed in float32.
    halves = {"rows": 64, "inputs": 4, "zeros": (0, 0), "largest": 4}
    for scale in (0.03, 0.05, 0.07):
        name = f"dense of halves, {scale}"
        yield fully_connected(name, **halves, in_scale=0.9, weight_scale=0.07, out_scale=scale)
    yield fully_connected("dense that saturates", out_scale=1e-3)
    yield fully_connected("dense that grows", out_scale=1e-5, largest=3)
    yield fully_connected("dense of heavy weights", inputs=1200, seed=2)
    yield fully_connected("dense with weights of -128", largest=128, seed=5)
    yield fully_connected("dense with few weights", rows=3, inputs=40, outputs=9, sparsity=0.95)
    yield fully_connected("dense with long gaps", inputs=1200, outputs=9, sparsity=0.995)
    yield fully_connected("dense with many weights", inputs=2900, outputs=3, sparsity=0.9, seed=4)
    yield fully_connected("dense of nothing", inputs=24, sparsity=1.0, out_scale=0.05)


def matrix_examples() -> Iterator[Example]:
    yield svdf("svdf")
    yield svdf("svdf of one memory and rank 1", rank=1, memory=1)
    yield svdf("svdf of batches", batches=3)
    yield svdf("svdf with a state of 8 bits", dtype=np.int8, state_zero=4, memory=3)
    yield lstm("lstm")
    yield lstm("lstm of a wide cell state", cell_power=-13, zeros=(-128, 127), clip=0.0)
    yield lstm("lstm of a clipped cell state", clip=0.25)
    yield lstm("lstm of a narrow cell state", cell_power=-9, seed=3)
    yield lstm("lstm of fours", inputs=20, units=8, weight_scale=0.001)
    yield lstm("lstm of one input and one unit", inputs=1, units=1, steps=7)
    yield lstm("lstm of many inputs", inputs=1100, units=3, weight_scale=0.0005)
    yield lstm("lstm with weights of -128", lowest=-128, inputs=33, units=6, weight_scale=0.001)
    yield lstm("lstm of large factors", weight_scale=0.02, zeros=(127, -128))
    for left, right, adj_x, adj_y in (
        ((2, 3, 4), (2, 4, 5), False, False),
        ((2, 4, 3), (2, 4, 5), True, False),
        ((1, 2, 3, 4), (1, 2, 5, 4), False, True),
        ((1, 2, 3, 4), (1, 1, 4, 2), False, False),
    ):
        rows = left[-1] if adj_x else left[-2]
        columns = right[-2] if adj_y else right[-1]
        tensors = (
            int8(left, scale=0.05, zero_point=3),
            int8(right, scale=0.04, zero_point=-6),
            int8((*left[:-2], rows, columns), scale=0.2, zero_point=5),
        )
        options = options_of("BatchMatMul", adj_x=adj_x, adj_y=adj_y)
        yield Example(
            name=f"batch matmul {left} {right}",
            op="BATCH_MATMUL",
            tensors=tensors,
            inputs=(0, 1),
            outputs=(2,),
            options=options,
        )
