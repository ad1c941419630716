"""What a method made of a model, kept among a build's finished stages, and found there again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeprune.methods.method import Applied
from edgeprune.progress import Checkpoints

if TYPE_CHECKING:
    import keras

_FACTS = ("accuracy", "note", "is_shaped", "may_scale")


def save_applied(applied: Applied, work: Checkpoints, *, stage: str) -> None:
    """Keeps the model, its zeros and what is known of it; steps and proofs are not kept."""
    from edgeprune.keras_bridge.loading.save import save_model

    names = list(applied.zeros)
    state = {**{name: getattr(applied, name) for name in _FACTS}, "kernels": names}
    with work.finish(stage, state) as folder:
        save_model(applied.model, folder / "model.keras")
        np.savez(folder / "zeros.npz", *(applied.zeros[name] for name in names))


def load_applied(work: Checkpoints, *, stage: str, original: keras.Model) -> Applied | None:
    """What `save_applied` kept before the build was interrupted; None where it came to nothing.

    Args:
        work: keeps it.
        stage: its name.
        original: the model that the build started from: what its file may name, this may name, too.
    """
    from edgeprune.keras_bridge.loading.save import open_saved

    if (finished := work.load(stage)) is None:
        return None
    folder, state = finished
    with np.load(folder / "zeros.npz") as arrays:
        masks = [arrays[name] for name in arrays.files]
    model: keras.Model = open_saved(folder / "model.keras", original=original)
    zeros = dict(zip(state["kernels"], masks, strict=True))
    return Applied(model=model, zeros=zeros, **{name: state[name] for name in _FACTS})
