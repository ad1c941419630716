"""Changes to image batches, used only where the original model shows that they preserve labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from edgeprune.graph.layergraph import Array

Arrays = tuple[Array, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """What is done to training batches.

    Attributes:
        flip: mirror half of the images left to right.
        shift: move each image by up to this many pixels in both directions, edges reflected.
    """

    flip: bool = False
    shift: int = 0

    def apply(self, images: Array, rng: np.random.Generator) -> Array:
        """Changed images, same shape (batch, height, width, channels) and dtype."""
        if self.flip:
            mirrored = rng.random(len(images)) < 0.5
            images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        if self.shift:
            images = _shift(images, self.shift, rng)
        return images

    def describe(self) -> str:
        """One clause for the report."""
        parts = (["horizontal flips"] if self.flip else []) + (
            [f"shifts of up to {self.shift} px"] if self.shift else []
        )
        return " and ".join(parts) or "none"


def augments_itself(model: keras.Model) -> bool:
    """Whether the model has layers that change images while it is trained."""
    return any(type(layer).__name__.startswith("Random") for layer in model._flatten_layers())


def choose_augmentation(
    arrays: Sequence[Array], *, score: Callable[[Arrays], float], tolerance: float = 0.02, seed: int
) -> Augmentation:
    """The changes that leave the original model's validation score within `tolerance` of what it was.

    Args:
        arrays: validation inputs; only a single input of shape (n, height, width, 1, 3 or 4) is changed.
        score: the original model's score, higher is better, on changed inputs.
        tolerance: largest drop that counts as label-preserving.
        seed: of the trial shifts.
    """
    if len(arrays) != 1 or arrays[0].ndim != 4 or arrays[0].shape[-1] not in (1, 3, 4):
        return Augmentation()
    images = arrays[0]
    baseline = score((images,))
    flip = score((images[:, :, ::-1],)) >= baseline - tolerance
    return Augmentation(flip=flip, shift=next(_shifts_kept(images, score, baseline - tolerance, seed), 0))


def _shifts_kept(images: Array, score: Callable[[Arrays], float], least: float, seed: int) -> Iterator[int]:
    """Shifts of an eighth and of a sixteenth of the image, where the score stays above `least`."""
    for part in (8, 16):
        shift = min(images.shape[1:3]) // part
        if shift and score((_shift(images, shift, np.random.default_rng(seed)),)) >= least:
            yield shift


def _shift(images: Array, largest: int, rng: np.random.Generator) -> Array:
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (largest, largest), (largest, largest), (0, 0)), mode="reflect")
    tops, lefts = rng.integers(0, 2 * largest + 1, (2, len(images)))
    return np.stack(
        [image[t : t + height, a : a + width] for image, t, a in zip(padded, tops, lefts, strict=True)]
    )
