"""Quantization-aware recovery: a model fine-tuned so that rounding costs it less."""

import keras

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.evaluation import Evaluator
from edgeprune.keras_bridge.training.fake_quant import GridCallback, fake_quantized
from edgeprune.keras_bridge.training.recover import recover_with
from edgeprune.keras_bridge.training.train import Recovery, Training
from edgeprune.progress import Progress


def recover_quantized(
    model: keras.Model,
    *,
    training: Training,
    evaluator: Evaluator,
    recovery: Recovery,
    representative: tuple[Array, ...],
    progress: Progress,
) -> keras.Model:
    """A copy of the model, fine-tuned with rounded weights and activations; its own weights are floats.

    Args:
        model: what is copied, and followed as a teacher.
        training: inputs, labels and loss.
        evaluator: scores models on validation data.
        recovery: how to train, and for how many steps.
        representative: inputs that ranges of activations are taken from.
        progress: is told about every optimizer step.
    """
    tuned, _ = recover_with(
        GridCallback(),
        model,
        teacher=model,
        training=training,
        evaluator=evaluator,
        recovery=recovery,
        progress=progress,
        around=lambda copy: fake_quantized(copy, inputs=representative),
    )
    return copy_model(tuned)  # the tuned one's compiled inference still rounds
