"""Ten applications, built as their owners trained them, and scored again by somebody else."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import edgeprune
from edgeprune.keras_bridge.training.determinism import fix_seeds
from tests.e2e.setups import SETUPS, Setup


def run_file(tflite: bytes, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Outputs as real numbers, sample by sample, in TensorFlow's interpreter: another than edgeprune's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    outputs: list[list[np.ndarray]] = [[] for _ in interpreter.get_output_details()]
    for row in range(len(inputs[0])):
        interpreter.reset_all_variables()
        for detail, x in zip(interpreter.get_input_details(), inputs, strict=True):
            (scale, zero), value = detail["quantization"], x[row : row + 1]
            if scale:
                limits = np.iinfo(detail["dtype"])
                value = np.clip(np.rint(value / scale) + zero, limits.min, limits.max)
            interpreter.set_tensor(detail["index"], value.astype(detail["dtype"]).reshape(detail["shape"]))
        interpreter.invoke()
        for found, detail in zip(outputs, interpreter.get_output_details(), strict=True):
            (scale, zero), value = detail["quantization"], interpreter.get_tensor(detail["index"])
            found.append((value.astype(np.float32) - zero) * scale if scale else value)
    return [np.concatenate(found) for found in outputs]


@pytest.mark.filterwarnings("ignore:Layer 'conv1d.*passed an input with a mask")
@pytest.mark.parametrize("make", SETUPS, ids=lambda make: make.__name__)
def test_a_model_is_built_as_it_was_trained(make: Callable[[Path], Setup], tmp_path: Path) -> None:
    fix_seeds(0)
    setup = make(tmp_path)
    options: dict[str, Any] = {"device": "cortex-m7", "epochs": 3, "latency_ms": 1000.0} | setup.options
    built = edgeprune.build(setup.model, data=setup.data, output=tmp_path / "out", progress=False, **options)
    assert built.fits
    assert built.report.task is not None
    assert built.report.task["metric"] == setup.metric
    told = built.figures["accuracy"].value
    assert told is not None
    again = setup.score(run_file(built.tflite, setup.x_test))
    # XNNPACK's version in TensorFlow rounds a few values otherwise than the one in tflite-runtime.
    assert told == pytest.approx(again, abs=0.02, rel=0.03)
    with keras.saving.custom_object_scope(setup.custom):
        original, saved = (
            keras.models.load_model(p) for p in (setup.model, tmp_path / "out" / "model.keras")
        )
    assert (saved.count_params() < original.count_params()) == setup.is_pruned
    assert saved.compiled
    assert type(saved.optimizer) is type(original.optimizer)
    assert [m.name for m in saved.metrics] == [m.name for m in original.metrics]
