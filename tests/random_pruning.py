"""Random weights and random plans for any model, and the proof that pruning them changes nothing."""

import keras
import numpy as np

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.model.probes import draw_inputs
from edgeprune.keras_bridge.model.rebuild import Compacted, compact
from edgeprune.keras_bridge.model.trace import Traced, trace


def randomise(model: keras.Model, rng: np.random.Generator) -> None:
    """Draws all weights, moving statistics and biases too: zeros and ones would hide mistakes."""
    for variable in model.variables:
        if "float" not in variable.dtype:
            continue
        shape = variable.shape
        if "variance" in variable.name:
            value = rng.uniform(0.5, 2.0, shape)
        elif len(shape) > 1:
            value = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        else:
            value = rng.standard_normal(shape) * 0.5
        variable.assign(value.astype(np.float32))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its variables


def draw_plan(channels: ChannelMap, rng: np.random.Generator) -> Kept:
    """Removes groups by a chance that is drawn per plan; leaves every tensor at least one channel."""
    kept = channels.everything
    for chance in (rng.uniform(0.2, 0.9), 0.9, 0.9):
        kept = ~(channels.prunable & (rng.random(channels.groups) < chance))
        for groups in channels.carriers():
            if not kept[groups].any():
                kept[rng.choice(groups)] = True
        if not kept.all():
            break
    return kept


def random_inputs(model: keras.Model, rng: np.random.Generator, *, samples: int = 13) -> list[np.ndarray]:
    return draw_inputs(model, trace(model).graph, seed=int(rng.integers(2**31)), samples=samples)


def prune_at_random(model: keras.Model, seed: int) -> tuple[Compacted, Traced, ChannelMap, Kept]:
    """Random weights, a random plan, surgery. Raises InfeasibleError where removed and masked differ."""
    rng = np.random.default_rng(seed)
    randomise(model, rng)
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = draw_plan(channels, rng)
    probe = random_inputs(model, rng)
    return compact(model, traced, channels=channels, kept=kept, probe=probe), traced, channels, kept
