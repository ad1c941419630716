"""Where in a quantized file activations first lose what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.pairing import pair_tensors
from edgeprune.tflite.read import read_model

_LOST = 0.2
"""Of a tensor, at which it counts as the first that loses; usual ones lose a few hundredths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstLoss:
    """An activation that says less than in the float file.

    Attributes:
        tensor: its index in the quantized file.
        op: what makes it; "INPUT" for the model's inputs.
        lost: root mean square of what quantization adds, as a fraction of the standard deviation of each
            channel, at most 1; the mean over channels.
    """

    tensor: int
    op: str
    lost: float


def find_first_loss(plain: bytes, quantized: bytes, *, inputs: tuple[Array, ...]) -> FirstLoss | None:
    """The first activation that loses a fifth of its spread, or else the one that loses most.

    Args:
        plain: the float file, with the names of its tensors.
        quantized: likewise.
        inputs: one array per model input, (samples, ...).

    Returns:
        None where no activation of the two files belongs together.
    """
    from edgeprune.keras_bridge.conversion.calibrate import run_tensors

    model = read_model(quantized, where="quantized")
    pairs = pair_tensors(read_model(plain, where="float"), model)
    runs = list(zip(run_tensors(plain, inputs), run_tensors(quantized, inputs), strict=True))
    makers = {index: op for op in model.ops for index in op.outputs}
    order = sorted(pairs, key=lambda index: makers[index].index if index in makers else -1)
    losses = [
        FirstLoss(
            tensor=index,
            op=makers[index].name if index in makers else "INPUT",
            lost=_measure(runs, index, pairs[index]),
        )
        for index in order
    ]
    worst = max(losses, key=lambda loss: loss.lost, default=None)
    return next((loss for loss in losses if loss.lost >= _LOST), worst)


def _measure(
    runs: Sequence[tuple[Mapping[int, Array], Mapping[int, Array]]], index: int, other: int
) -> float:
    wanted, found = (
        np.stack([values[at] for values in side]).astype(np.float64)
        for side, at in (([plain for plain, _ in runs], other), ([made for _, made in runs], index))
    )
    channels = wanted.shape[-1] if wanted.ndim > 1 else 1
    wanted, found = wanted.reshape(-1, channels), found.reshape(-1, channels)
    noise, spread = np.sqrt(np.mean((wanted - found) ** 2, axis=0)), wanted.std(axis=0)
    says = spread > 0
    return float(np.minimum(noise[says] / spread[says], 1.0).mean()) if says.any() else 0.0
