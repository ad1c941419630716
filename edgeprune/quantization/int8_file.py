"""The int8 file of a model: calibrated, its ranges clipped, its biases corrected; and how far it is off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.bias import find_biases, shift_biases
from edgeprune.tflite.pairing import pair_tensors
from edgeprune.tflite.ranges import (
    Histogram,
    clip_to_least_error,
    clip_to_percentile,
    read_ranges,
    share_ranges,
    write_ranges,
)
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rounding import ErrorMeter, TensorError

if TYPE_CHECKING:
    import keras

Clip = Literal["", "percentile", "least error"]
Inputs = tuple[Array, ...]

LOOKED_AT = 32
"""Samples whose activations are looked at one by one: errors, histograms, peaks and shifts."""
KEPT = 0.9999
"""Fraction of values that the percentile leaves inside."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """Everything that a file is made of.

    Attributes:
        model: the Keras model.
        calibrated: its float file with the ranges of its activations; names tell its tensors.
        representative: what these were taken on, one array per model input.
        clip: how ranges are narrowed, "" for not at all.
        corrected: whether biases take back what rounding shifts.
    """

    model: keras.Model
    calibrated: bytes
    representative: Inputs
    clip: Clip = ""
    corrected: bool = False


def make_file(state: State, *, io_type: str) -> bytes:
    """The int8 file, not stripped; `io_type` is that of its inputs and outputs."""
    from edgeprune.keras_bridge.conversion.quantize import quantize

    calibrated = state.calibrated
    if state.clip:
        calibrated = write_ranges(calibrated, _clip(state))
    tflite = quantize(calibrated, io_type=io_type)
    return _correct(state, tflite) if state.corrected else tflite


def _look(state: State, tflite: bytes) -> Iterator[dict[int, Array]]:
    from edgeprune.keras_bridge.conversion.calibrate import run_tensors

    return run_tensors(tflite, tuple(x[:LOOKED_AT] for x in state.representative))


def _clip(state: State) -> dict[int, tuple[float, float]]:
    ranges = read_ranges(state.calibrated)
    histograms = {index: Histogram(low=low, high=high) for index, (low, high) in ranges.items()}
    for values in _look(state, state.calibrated):
        for index, histogram in histograms.items():
            if index in values:
                histogram.add(values[index])
    clipped = {}
    for index, histogram in histograms.items():
        if histogram.counts.any():
            clipped[index] = (
                clip_to_least_error(histogram)
                if state.clip == "least error"
                else clip_to_percentile(histogram, kept=KEPT)
            )
    return share_ranges(read_model(state.calibrated, where="the calibrated model"), clipped)


def find_peaks(state: State, tensors: set[int]) -> Mapping[int, Array]:
    """Tensor → (channels,) the largest absolute value of each channel."""
    peaks: dict[int, Array] = {}
    for values in _look(state, state.calibrated):
        for index in tensors:
            highest = np.abs(values[index]).reshape(-1, values[index].shape[-1]).max(axis=0)
            peaks[index] = np.maximum(peaks[index], highest) if index in peaks else highest
    return peaks


def _correct(state: State, tflite: bytes) -> bytes:
    """The file with its biases shifted, one op after the other, since each changes all that follow."""
    model = read_model(tflite, where="the quantized model")
    pairs = pair_tensors(read_model(state.calibrated, where="the calibrated model"), model)
    wanted = _average(_look(state, state.calibrated))
    for tensor, bias in find_biases(model).items():
        if tensor in pairs:
            found = _average(_look(state, tflite))
            shift = wanted[pairs[tensor]] - found[tensor]
            tflite = shift_biases(tflite, model, shifts={bias: shift})
            model = read_model(tflite, where="the quantized model")
    return tflite


def _average(runs: Iterator[dict[int, Array]]) -> dict[int, Array]:
    """Tensor → (channels,) its mean over samples and positions."""
    sums: dict[int, Array] = {}
    count = 0
    for values in runs:
        count += 1
        for index, value in values.items():
            if value.ndim:
                mean = value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
                sums[index] = sums[index] + mean if index in sums else mean
    return {index: total / max(count, 1) for index, total in sums.items()}


def measure_errors(plain: bytes, quantized: bytes, *, inputs: Inputs) -> tuple[TensorError, ...]:
    """How far each activation of a quantized file is from the float file's.

    Args:
        plain: the float file, with the names of its tensors.
        quantized: likewise.
        inputs: one array per model input; the first `LOOKED_AT` samples are run.
    """
    from edgeprune.keras_bridge.conversion.calibrate import run_tensors

    meter = ErrorMeter(read_model(plain, where="float"), read_model(quantized, where="quantized"))
    few = tuple(x[:LOOKED_AT] for x in inputs)
    for values, rounded in zip(run_tensors(plain, few), run_tensors(quantized, few), strict=True):
        meter.add(values, rounded)
    return meter.report()
