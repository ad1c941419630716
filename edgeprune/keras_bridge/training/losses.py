"""The losses edgeprune can train with: what labels each takes, and how each is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras.src.losses.losses import LossFunctionWrapper

from edgeprune.errors import UnknownNameError
from edgeprune.registry import Registry

LabelKind = Literal["sparse", "one_hot", "binary", "regression", "reconstruction", "own", "none"]
LossFunction = Callable[..., Any]
"""(labels, predictions, weights=None) → a number, on Keras tensors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossRule:
    """One loss.

    Attributes:
        make: the Keras class.
        labels: the kind of labels it is made for.
        metric: the name in `METRICS` that goes with it when none is asked for.
        knows_logits: whether the class takes `from_logits`.
        aliases: other names Keras has for it.
    """

    make: Callable[..., keras.losses.Loss]
    labels: LabelKind
    metric: str
    knows_logits: bool = False
    aliases: tuple[str, ...] = ()


LOSSES: Registry[LossRule] = Registry("loss")

for _name, _rule in {
    "sparse_categorical_crossentropy": LossRule(
        make=keras.losses.SparseCategoricalCrossentropy, labels="sparse", metric="accuracy", knows_logits=True
    ),
    "categorical_crossentropy": LossRule(
        make=keras.losses.CategoricalCrossentropy, labels="one_hot", metric="accuracy", knows_logits=True
    ),
    "categorical_focal_crossentropy": LossRule(
        make=keras.losses.CategoricalFocalCrossentropy, labels="one_hot", metric="accuracy", knows_logits=True
    ),
    "categorical_hinge": LossRule(make=keras.losses.CategoricalHinge, labels="one_hot", metric="accuracy"),
    "kl_divergence": LossRule(
        make=keras.losses.KLDivergence,
        labels="one_hot",
        metric="accuracy",
        aliases=("kld", "kullback_leibler_divergence"),
    ),
    "binary_crossentropy": LossRule(
        make=keras.losses.BinaryCrossentropy,
        labels="binary",
        metric="accuracy",
        knows_logits=True,
        aliases=("bce",),
    ),
    "binary_focal_crossentropy": LossRule(
        make=keras.losses.BinaryFocalCrossentropy, labels="binary", metric="accuracy", knows_logits=True
    ),
    "mean_squared_error": LossRule(
        make=keras.losses.MeanSquaredError, labels="regression", metric="mse", aliases=("mse",)
    ),
    "mean_absolute_error": LossRule(
        make=keras.losses.MeanAbsoluteError, labels="regression", metric="mae", aliases=("mae",)
    ),
    "mean_squared_logarithmic_error": LossRule(
        make=keras.losses.MeanSquaredLogarithmicError, labels="regression", metric="mae", aliases=("msle",)
    ),
    "mean_absolute_percentage_error": LossRule(
        make=keras.losses.MeanAbsolutePercentageError, labels="regression", metric="mae", aliases=("mape",)
    ),
    "huber": LossRule(make=keras.losses.Huber, labels="regression", metric="mae"),
    "log_cosh": LossRule(make=keras.losses.LogCosh, labels="regression", metric="mae", aliases=("logcosh",)),
    "poisson": LossRule(make=keras.losses.Poisson, labels="regression", metric="mae"),
}.items():
    LOSSES.add(_name, _rule)


def find_loss(name: str) -> str | None:
    """The name in `LOSSES` for a name, alias or class name that Keras uses, or None."""
    snake = (
        name.lower() if "_" in name or name.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    )
    return next((known for known, rule in LOSSES.items() if snake == known or snake in rule.aliases), None)


def name_loss(loss: Any) -> str:
    """The name in `LOSSES` of a Keras loss given by name, function or object, else its own name."""
    own = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return find_loss(own) or own


def make_loss(name: str, *, from_logits: bool) -> keras.losses.Loss:
    """A Keras loss by its name.

    Args:
        name: as in `LOSSES`, or an alias.
        from_logits: predictions have not been through softmax or sigmoid; ignored where that means nothing.

    Raises:
        UnknownNameError: there is no such loss.
    """
    known = find_loss(name)
    if known is None:
        raise UnknownNameError("loss", name, LOSSES)
    rule = LOSSES[known]
    return rule.make(from_logits=from_logits) if rule.knows_logits else rule.make()


def as_loss(loss: keras.losses.Loss | Callable[..., Any]) -> keras.losses.Loss:
    """A loss, or a function of labels and predictions, as Keras wraps it when it compiles."""
    if isinstance(loss, keras.losses.Loss):
        return loss
    return LossFunctionWrapper(loss, name=getattr(loss, "__name__", type(loss).__name__))


def bind(loss: keras.losses.Loss, *, labels: LabelKind | None) -> LossFunction:
    """`(labels, predictions, weights) → number`: reduced as Keras does it, masks of predictions included.

    Labels of all kinds but "sparse" are brought to the shape of the predictions first: an array of (batch,)
    against predictions of (batch, 1) would otherwise be broadcast to (batch, batch) without a word.

    Args:
        loss: of Keras.
        labels: the kind of labels it is made for; None for a loss of one's own, which gets them as Keras
            would give them.
    """

    def compute(y: Any, predictions: Any, weights: Any = None) -> Any:
        if labels not in ("sparse", None):
            y = keras.ops.reshape(keras.ops.cast(y, predictions.dtype), keras.ops.shape(predictions))
        return loss(y, predictions, sample_weight=weights)

    return compute


def one_hot_first(loss: LossFunction, *, classes: int) -> LossFunction:
    """A loss on one-hot labels, made to take class numbers."""

    def compute(y: Any, predictions: Any, weights: Any = None) -> Any:
        return loss(keras.ops.one_hot(keras.ops.cast(y, "int32"), classes), predictions, weights)

    return compute
