"""What an int8 file clips, and what it must not clip."""

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from edgeprune.keras_bridge.conversion.calibrate import calibrate
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.conversion.quantize import quantize
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.covering import can_hold, find_compared, find_limits
from edgeprune.tflite.model import Model, Op
from edgeprune.tflite.notes import list_notes
from edgeprune.tflite.pairing import pair_tensors
from edgeprune.tflite.ranges import read_ranges
from edgeprune.tflite.read import read_model

STEPS, WIDTH = 8, 3


def padded(value: float) -> tuple[np.ndarray, np.ndarray]:
    """Sequences between 0 and 1, (200, 8, 3), whose ends are padded; and which of them are whole."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.05, 1, (200, STEPS, WIDTH)).astype(np.float32)
    lengths = rng.integers(2, STEPS + 1, 200)
    x[np.arange(STEPS)[None] >= lengths[:, None]] = value
    return x, lengths == STEPS


CELLS: dict[str, Callable[[], keras.Layer]] = {
    "lstm": lambda: layers.LSTM(6),
    "gru": lambda: layers.GRU(6),
    "simple": lambda: layers.SimpleRNN(6),
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(4)),
}


@pytest.mark.parametrize("value", [-10.0, -1.3, 7.7, 0.0])
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_padded_samples_are_as_close_as_whole_ones(cell: Callable[[], keras.Layer], value: float) -> None:
    keras.utils.set_random_seed(7)
    source = keras.Input((STEPS, WIDTH))
    model = keras.Model(source, layers.Dense(2)(cell()(layers.Masking(value)(source))))
    x, whole = padded(value)
    tflite = convert(model, scheme="int8", representative=(x,))
    found = run_litert(tflite, as_real(tflite, (x,))).outputs[0].values
    expected = model.predict(x, verbose=0)
    errors = np.abs(found - expected).max(axis=1) / np.ptp(expected)
    assert errors[~whole].max() < max(2 * errors[whole].max(), 0.06)
    assert list_notes(read_model(tflite, where="file")) == ()


def branches() -> keras.Model:
    """Pooling keeps its scale and would take it from the joined outputs; the other branch reads all."""
    source = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 1)(source)
    other = layers.Conv2D(4, 2, strides=2)(x)
    return keras.Model(source, layers.Concatenate()([layers.MaxPooling2D()(x), other]))


def selected() -> keras.Model:
    """A selection of positive numbers only, beside a layer that reads all."""
    source = keras.Input((8, 8, 3))
    chosen = ops.where(source > 0.5, source, 0.5)
    return keras.Model(source, layers.Add()([layers.Dense(2)(chosen), layers.Dense(2)(source)]))


@pytest.mark.parametrize("make", [branches, selected])
def test_what_several_ops_read_is_not_clipped_for_one_of_them(make: Callable[[], keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(60, 8, 8, 3)).astype(np.float32)
    x[:, ::2, ::2] += 4
    calibrated = calibrate(make(), representative=(x,))
    plain, ranges = read_model(calibrated, where="float"), read_ranges(calibrated)
    quantized = read_model(quantize(calibrated), where="int8")
    shared = 0
    for index, other in pair_tensors(plain, quantized).items():
        if other in ranges and sum(other in op.inputs for op in plain.ops) > 1:
            low, high = find_limits(quantized.tensors[index])
            room = 1.5 * quantized.tensors[index].scales[0]
            assert ranges[other][0] >= low - room
            assert ranges[other][1] <= high + room
            shared += 1
    assert shared


def resort(model: Model) -> Model:
    """The same file with its ops in another order that does: of those that are ready, by name."""
    main, rest = model.subgraphs[0], list(model.ops)
    made = {i for op in rest for i in op.outputs}
    ops: list[Op] = []
    while rest:
        ready = [op for op in rest if made.isdisjoint(op.inputs)]
        op = min(ready, key=lambda op: (op.name, op.index))
        rest.remove(op)
        made -= set(op.outputs)
        ops.append(op)
    return replace(model, subgraphs=(replace(main, ops=tuple(ops)), *model.subgraphs[1:]))


def test_tensors_are_paired_whatever_the_order_of_ops() -> None:
    keras.utils.set_random_seed(0)
    source = keras.Input((STEPS, WIDTH))
    masked = layers.Masking(-10.0)(source)
    model = keras.Model(source, layers.Dense(2)(layers.Bidirectional(layers.LSTM(3))(masked)))
    calibrated = calibrate(model, representative=(padded(-10.0)[0],))
    plain, quantized = (read_model(file, where="m") for file in (calibrated, quantize(calibrated)))
    pairs = pair_tensors(plain, quantized)
    assert len(pairs) > 200
    assert pair_tensors(plain, resort(quantized)) == pairs
    makers = [{i: op for op in model.ops for i in op.outputs} for model in (quantized, plain)]
    for index, other in pairs.items():
        if index in makers[0]:
            one, twin = makers[0][index], makers[1][other]
            assert (one.name, one.outputs.index(index)) == (twin.name, twin.outputs.index(other))


def test_a_mask_value_that_no_calibration_sample_has_is_said() -> None:
    keras.utils.set_random_seed(0)
    source = keras.Input((STEPS, WIDTH))
    model = keras.Model(source, layers.LSTM(4)(layers.Masking(-10.0)(source)))
    x = np.random.default_rng(0).uniform(0, 1, (50, STEPS, WIDTH)).astype(np.float32)
    file = read_model(convert(model, scheme="int8", representative=(x,)), where="file")
    (compared,) = find_compared(file)
    assert compared.value == -10
    assert not can_hold(file.tensors[compared.tensor], -10.0)
    (note,) = list_notes(file)
    assert "compares a tensor with -10, which is no number of its int8 range (0 to" in note
