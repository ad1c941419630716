"""Loss gradients of every weight, batch by batch: what gradient criteria look at."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.training.inference import feed
from edgeprune.keras_bridge.training.task import Task
from edgeprune.keras_bridge.training.train import Training
from edgeprune.prune.criteria import Gradients


def iterate_gradients(
    model: keras.Model,
    traced: Traced,
    *,
    training: Training,
    seed: int,
    batches: int = 48,
    batch_size: int = 32,
) -> Iterator[Gradients]:
    """Gradients of the loss in inference mode: layer name → weight name → array of the weight's shape.

    Without labels the loss is taken at outputs drawn from the model's own predictions, so that the squared
    gradients estimate the Fisher information (the gradient at the model's own best guess would vanish).
    """
    # By identity: layers of two nested models may give their variables the same path.
    places: dict[int, list[tuple[str, str]]] = {}
    for name, operation in traced.layers.items():
        names = traced.graph.layers[name].weights
        for variable, weight in zip(getattr(operation, "weights", ()), names, strict=True):
            places.setdefault(id(variable), []).append((name, weight))
    # Also of layers that are not trained: they too may lose channels.
    variables = [v for v in model.weights if id(v) in places and "float" in v.dtype]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def differentiate(batch: Any, y: Any, weights: Any, noise: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            predicted = call(model, batch, training=False)
            if y is None:
                loss = _sampled_loss(predicted, noise, task=training.task)
            else:
                loss = training.task.loss(y, predicted, weights)
        return tape.gradient(
            loss, [v.value for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    for step in range(batches):
        batch = training.draw(step, size=batch_size, seed=seed)
        y, weights = (None if a is None else list(map(tf.constant, a)) for a in (batch.y, batch.weights))
        x = list(map(tf.constant, feed(model, batch.x)))
        found = differentiate(x, y, weights, tf.constant([seed, step]))
        gradients: dict[str, dict[str, Array]] = {}
        for variable, gradient in zip(variables, found, strict=True):
            for layer, weight in places[id(variable)]:
                gradients.setdefault(layer, {})[weight] = np.asarray(tf.convert_to_tensor(gradient))
        yield gradients


def _sampled_loss(predicted: Any, seed: Any, *, task: Task) -> Any:
    total = tf.constant(0.0)
    for output, own in zip(predicted, task.outputs, strict=True):
        if own.output_kind == "classes":
            logits = output if own.from_logits else tf.math.log(output + 1e-7)
            flat = tf.reshape(logits, (-1, tf.shape(logits)[-1]))
            drawn = tf.random.stateless_categorical(flat, 1, seed)[:, 0]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=drawn, logits=flat)
            total += tf.reduce_mean(losses)
        else:
            noise = tf.random.stateless_normal(tf.shape(output), seed)
            total += 0.5 * tf.reduce_mean(tf.square(output - tf.stop_gradient(output + noise)))
    return total
