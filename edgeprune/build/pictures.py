"""The golden samples of a classifier of images, as the report shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.build.inputs import Inputs
from edgeprune.build.verify import TEST_SAMPLES
from edgeprune.graph.layergraph import Array
from edgeprune.measuring.records import GOLDEN_SAMPLES
from edgeprune.report.png import as_text, encode_png
from edgeprune.report.sections.samples import SamplePart
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real

_LEAST_SIDE, _MOST_SIDE = 8, 64
"""In pixels: what may be a picture at all, and what is kept of a larger one."""


def picture_samples(tflite: bytes, inputs: Inputs) -> tuple[SamplePart, ...]:
    """The samples of `golden.npz` as pictures, with the answers of the file and of the original.

    Args:
        tflite: the file.
        inputs: model, test samples and task.

    Returns:
        At most `GOLDEN_SAMPLES`; none where the input is no image, or the output no answer.

    Raises:
        ToolError: LiteRT cannot be loaded, or failed.
    """
    from edgeprune.keras_bridge.training.inference import predict

    batch = inputs.data.take_test(TEST_SAMPLES)
    task = inputs.task
    if not _are_images(batch.x) or task.output_kind == "values" or len(inputs.model.outputs[0].shape) != 2:
        return ()
    count = min(GOLDEN_SAMPLES, len(batch))
    few = batch.take(np.linspace(0, len(batch) - 1, count).round().astype(int))
    found = run_litert(tflite, as_real(tflite, few.x)).outputs[0].values
    asked = predict(inputs.model, few.x)[0]
    if found.shape[-1] > 1 and task.output_kind != "classes":
        return ()  # each output decides for itself
    names = inputs.data.class_names or ()
    labels = None if few.y is None or not task.is_labelled else few.y[0]
    say = _Answers(names=names, from_logits=task.from_logits, classes=max(found.shape[-1], 2))
    pixels = _as_bytes(few.x[0], inputs)
    return tuple(
        {
            "image": _encode(pixels[i]),
            "label": "" if labels is None else say.label(labels[i]),
            "answer": say.answer(found[i]),
            "share": say.share(found[i]),
            "original": say.answer(asked[i]),
        }
        for i in range(count)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answers:
    """Outputs and labels in words."""

    names: tuple[str, ...]
    from_logits: bool
    classes: int

    def answer(self, output: Array) -> str:
        if len(output) > 1:
            return self._name(int(np.argmax(output)))
        return self._name(int(output[0] > (0.0 if self.from_logits else 0.5)))

    def label(self, label: Array) -> str:
        flat = np.asarray(label).reshape(-1)
        return self._name(int(np.argmax(flat)) if len(flat) > 1 else int(flat[0]))

    def share(self, output: Array) -> float | None:
        if self.from_logits:
            return None
        value = float(output.max() if len(output) > 1 else max(output[0], 1 - output[0]))
        return min(max(value, 0.0), 1.0)

    def _name(self, number: int) -> str:
        if len(self.names) == self.classes:
            return self.names[number]
        return ("no", "yes")[number] if self.classes == 2 else str(number)


def _are_images(x: tuple[Array, ...]) -> bool:
    if len(x) != 1 or x[0].ndim != 4:
        return False
    height, width, channels = x[0].shape[1:]
    return min(height, width) >= _LEAST_SIDE and channels in (1, 3)


def _as_bytes(x: Array, inputs: Inputs) -> Any:
    """The same from 0 to 255, as uint8: over the range of the training data."""
    found = inputs.data.ranges[0]
    low, high = found.minimum, found.maximum
    scaled = (x.astype(np.float64) - low) / ((high - low) or 1.0)
    return (np.clip(np.nan_to_num(scaled), 0.0, 1.0) * 255).round().astype(np.uint8)


def _encode(image: Any) -> str:
    """A PNG of every n-th pixel, so that no side is too long."""
    step = -(-max(image.shape[:2]) // _MOST_SIDE)
    small = np.ascontiguousarray(image[::step, ::step])
    height, width, channels = small.shape
    return as_text(encode_png(small.tobytes(), width=width, height=height, channels=channels))
