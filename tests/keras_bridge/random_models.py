"""Small Keras models drawn at random from layers on vectors, sequences, images and volumes."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
from keras_bridge.drawing import Chooser
from keras_bridge.law import Draw
from keras_bridge.random_layers import LARGEST, MAKE, Tensor

SCALED_SUM = "keras.src.applications.inception_resnet_v2.CustomScaleLayer"
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", SCALED_SUM)
TABLES = ("Embedding", "ReversibleEmbedding")
KINDS = tuple(sorted((*MAKE, *MERGES, *TABLES, "Concatenate", "Masking")))
"""The layer kinds that `build_model` can be asked for."""
OFTEN = ("Dense", "merge", "merge", "Concatenate", "nested", "again", "gate", "Reshape", "Permute", "Flatten")
INPUTS = {
    0: ((5,),),
    1: ((4, 3), (7, 2)),
    2: ((5, 5, 2), (6, 4, 3), (4, 4, 3)),
    3: ((3, 3, 2, 2), (2, 4, 3, 1)),
}


@dataclass
class Drawing(Chooser):
    """A model while it is drawn: the tensors that nothing reads yet, and layers that may be called again."""

    draw: Draw
    alive: list[Tensor] = field(default_factory=list)
    older: list[Tensor] = field(default_factory=list)
    callable_again: list[tuple[Any, tuple[int, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.draw)

    def call(self, layer: Any, x: Any) -> Tensor:
        if not isinstance(x, list):
            self.callable_again.append((layer, tuple(x.shape)))
        return layer(x)

    def step(self) -> None:
        """Takes one tensor on by one layer; sometimes the tensor stays alive, so that graphs branch."""
        index = self.integer(0, len(self.alive) - 1)
        x = self.alive[index]
        fitting = [kind for kind, (_, ranks) in MAKE.items() if len(x.shape) - 2 in ranks]
        y = self.extend(x, self.choose(*OFTEN, *fitting))
        self.older.append(x)
        if self.integer(0, 3):
            self.alive[index] = y
        else:
            self.alive.append(y)

    def extend(self, x: Tensor, kind: str) -> Tensor:
        if kind in ("merge", *MERGES):
            return self._merge(x, self.choose(*MERGES) if kind == "merge" else kind)
        special = {
            "gate": self._gate,
            "Concatenate": self._concatenate,
            "nested": self._nested,
            "again": self._again,
        }
        return special[kind](x) if kind in special else self.call(MAKE[kind][0](self, x), x)

    def _merge(self, x: Tensor, kind: str) -> Tensor:
        """With an older tensor of the same shape if there is one, else with a new branch of x."""
        alike = [t for t in (*self.alive, *self.older) if t is not x and t.shape == x.shape]
        merge = CustomScaleLayer(0.3) if kind == SCALED_SUM else getattr(layers, kind)()
        if alike and self.integer(0, 3):
            return self.call(merge, [x, self.choose(*alike)])
        return self.call(merge, [x, self.call(layers.Dense(x.shape[-1], activation="tanh"), x)])

    def _gate(self, x: Tensor) -> Tensor:
        """Squeeze and excite, or one factor per position."""
        if self.integer(0, 2) or len(x.shape) not in (3, 4):
            pool = {3: layers.GlobalAveragePooling1D, 4: layers.GlobalAveragePooling2D}.get(len(x.shape))
            pooled = self.call(pool(keepdims=True), x) if pool else x
            gate = self.call(layers.Dense(x.shape[-1], activation="sigmoid"), pooled)
        else:
            gate = self.call(layers.Dense(1, activation="sigmoid"), x)
        return self.call(layers.Multiply(), [x, gate])

    def _concatenate(self, x: Tensor) -> Tensor:
        axis = self.choose(-1, -1, *range(1, len(x.shape)))
        axis = axis % len(x.shape)

        def fits(t: Tensor) -> bool:
            return len(t.shape) == len(x.shape) and all(
                a == b for i, (a, b) in enumerate(zip(t.shape, x.shape, strict=True)) if i not in (0, axis)
            )

        others = [t for t in (*self.alive, *self.older) if fits(t) and np.prod(t.shape[1:]) < LARGEST]
        return self.call(layers.Concatenate(axis=axis), [x, self.choose(*others)] if others else [x, x])

    def _nested(self, x: Tensor) -> Tensor:
        inside = keras.Input(x.shape[1:])
        inner = Drawing(draw=self.draw, alive=[inside])
        for _ in range(self.integer(1, 2)):
            kind = self.choose("Dense", "BatchNormalization", "ReLU", "Identity", "Flatten")
            inner.alive = [inner.extend(inner.alive[0], kind)]
        model = keras.Model(inside, inner.alive[0])
        self.callable_again.append((model, tuple(x.shape)))
        return model(x)

    def _again(self, x: Tensor) -> Tensor:
        """Another call of a layer or nested model that has been called on a tensor of this shape."""
        known = [layer for layer, shape in self.callable_again if shape == x.shape]
        return self.choose(*known)(x) if known else self.call(layers.Identity(), x)

    def stem(self, rank: int) -> keras.KerasTensor:
        """A new input and two layers, so that there is always something between them that may go."""
        tensor = keras.Input(self.choose(*INPUTS[rank]))
        conv = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
        width = self.choose(4, 6)
        first = conv[rank](width, 3, padding="same") if rank else layers.Dense(6)
        second = conv[rank](self.choose(5, 6), 1) if rank else layers.Dense(6)
        self.alive.append(self.call(second, self.call(first, tensor)))
        return tensor

    def table(self, kind: str) -> keras.KerasTensor:
        """A new input of row numbers, looked up."""
        rows = keras.Input((self.integer(2, 4),), dtype="int32")
        self.alive.append(getattr(layers, kind)(self.integer(3, 9), self.integer(4, 6))(rows))
        return rows

    def masked(self) -> keras.KerasTensor:
        """A new sequence, of which steps are skipped, summed up by a layer that knows of it."""
        tensor = keras.Input(self.choose(*INPUTS[1]))
        x = layers.Masking()(layers.Dense(5, activation="relu")(tensor))
        self.alive.append(layers.GlobalAveragePooling1D()(layers.Dense(4)(x)))
        return tensor


def build_model(draw: Draw, wished: str) -> keras.Model:
    """A model with one or two inputs and one or more outputs; it holds a layer of the kind wished for."""
    d = Drawing(draw=draw)
    ranks = MAKE[wished][1] if wished in MAKE else (0, 1, 2, 3)
    if wished in TABLES:
        inputs = [d.table(wished)]
    elif wished == "Masking":
        inputs = [d.masked()]
    else:
        rank = d.choose(*ranks)
        inputs = [d.stem(rank) for _ in range(d.choose(1, 1, 1, 2))]
        index = d.integer(0, len(d.alive) - 1)
        d.alive[index] = d.extend(d.alive[index], wished)
    for _ in range(d.integer(1, 5)):
        d.step()
    outputs = []
    for tensor in d.alive:
        if d.integer(0, 9):
            if len(tensor.shape) > 2:
                tensor = d.call(layers.Flatten(), tensor)
            tensor = d.call(layers.Dense(3), tensor)
        outputs.append(tensor)
    return keras.Model(inputs, outputs)
