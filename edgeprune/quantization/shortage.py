"""What it costs to calibrate on few samples: measured, by taking half of them away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.schemes import SCHEMES

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.representative import Representative

FEW_SAMPLES = 50
"""Fewer than this are worth a word, though they may do: ResNet-8's int8 accuracy was the same, within what
another draw changes, for every number from 2 to 500. A set that misses whole kinds of inputs is
another matter.
"""
_MEASURED_ON = 200


def describe_shortage(
    model: keras.Model,
    drawn: Representative,
    *,
    tflite: bytes,
    scheme: str,
    io_type: str | None,
    inputs: Sequence[Array],
) -> str:
    """A warning where the representative set is small, with what half of it costs; "" where it is not.

    Args:
        model: what was converted.
        drawn: what it was calibrated on.
        tflite: the file.
        scheme: how it is quantized.
        io_type: as `convert` takes it.
        inputs: validation inputs, (samples, ...), to compare file and model on.
    """
    if not SCHEMES[scheme].needs_data or drawn.samples >= FEW_SAMPLES:
        return ""
    head = f"There are only {drawn.samples} representative samples: what exceeds their ranges is clipped."
    if drawn.samples < 2:
        return head
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.keras_bridge.training.inference import predict

    few = tuple(x[:_MEASURED_ON] for x in inputs)
    half = convert(model, scheme=scheme, representative=tuple(x[::2] for x in drawn.inputs), io_type=io_type)
    expected = predict(model, few)
    errors = [
        _error(expected, [output.values for output in run_litert(file, as_real(file, few)).outputs])
        for file in (tflite, half)
    ]
    return (
        f"{head} On {len(few[0])} validation samples the {scheme} file's outputs are off by {errors[0]:.2%} "
        f"of their range, calibrated on half of these samples by {errors[1]:.2%}."
    )


def _error(expected: Sequence[Array], found: Sequence[Array]) -> float:
    """Root mean square difference as a fraction of the outputs' range, of the output that is worst."""
    return max(
        float(np.sqrt(np.mean(np.square(b.astype(np.float64) - a))) / (float(np.ptp(a)) or 1.0))
        for a, b in zip(expected, found, strict=True)
    )
