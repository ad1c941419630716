"""Which loss goes with which labels and output: the decision behind `resolve_task`."""

from dataclasses import dataclass
from typing import Any, Literal

import keras

from edgeprune.errors import DataError, RecipeError
from edgeprune.keras_bridge.data.label_facts import LabelFacts
from edgeprune.keras_bridge.training.losses import (
    LOSSES,
    LabelKind,
    LossFunction,
    as_loss,
    bind,
    find_loss,
    make_loss,
    name_loss,
    one_hot_first,
)

OutputKind = Literal["classes", "binary", "values"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A loss that fits labels and output; the fields are those of `Task`."""

    loss: LossFunction
    loss_name: str
    label_kind: LabelKind
    output_kind: OutputKind
    from_logits: bool
    origin: str


def fit_labels(
    labels: LabelFacts,
    *,
    shape: tuple[int, ...],
    activation: str,
    flag: str | None,
    compiled: Any,
    where: str,
    output: str = "",
) -> Fit:
    """The loss for these labels: the flag's, else the compiled one, else what output and labels imply.

    Args:
        labels: what they look like, already checked against the output's shape.
        shape: of the output, without batch.
        activation: Keras's name of the last activation.
        flag: value of --loss, or None.
        compiled: a function or Loss, or None.
        where: the data's source, for messages.
        output: its name, where the model has several.

    Raises:
        DataError: the labels do not fit the loss.
        RecipeError: nothing settles the loss.
    """
    kind = judge_labels(labels, shape=shape)
    if flag is not None:
        loss, name, origin = None, str(find_loss(flag)), "from --loss"
    elif compiled is not None:
        loss, name, origin = compiled, name_loss(compiled), "as compiled"
    else:
        name, reason = _infer(kind, labels, activation=activation, output=output)
        loss, origin = None, f"since {reason}"
    from_logits = _reads_logits(loss, activation=activation)
    if name not in LOSSES:
        if kind == "regression" and not _has_shape(labels.shape, shape):
            kind = "own"
        return Fit(
            loss=bind(as_loss(loss), labels=None),
            loss_name=name,
            label_kind=kind,
            output_kind=_judge_output(kind, activation=activation),
            from_logits=from_logits,
            origin=f"The loss is the model's own '{name}', {origin}.",
        )
    of_keras = make_loss(name, from_logits=from_logits) if loss is None else as_loss(loss)
    function = bind(of_keras, labels=LOSSES[name].labels)
    made_for = LOSSES[name].labels
    if made_for == "one_hot" and kind == "sparse":
        function = one_hot_first(function, classes=shape[-1])
        if name == "categorical_crossentropy":
            name = "sparse_categorical_crossentropy"
        origin += ", in its form for class numbers, since the labels are integers"
    elif made_for == "sparse" and kind == "one_hot":
        name = "categorical_crossentropy"
        function = bind(make_loss(name, from_logits=from_logits), labels="one_hot")
        origin += ", in its form for one-hot labels, since that is what the labels are"
    else:
        kind = _settle_kind(name, kind, labels, activation=activation, where=where, output=output)
    return Fit(
        loss=function,
        loss_name=name,
        label_kind=kind,
        output_kind=_judge_output(kind, activation=activation),
        from_logits=from_logits,
        origin=f"The loss is {name}, {origin}.",
    )


def fit_without_labels(model: keras.Model, *, output: int = 0, activation: str, loss: Any) -> Fit:
    """What to compare with without labels: an autoencoder's input, else the original's outputs.

    Args:
        model: Functional or Sequential.
        output: number of the output.
        activation: Keras's name of its last activation.
        loss: the flag's or compiled loss: a name, function or Loss, or None; says what the output means.
    """
    name = name_loss(loss) if loss is not None else ""
    meant_for = LOSSES[name].labels if name in LOSSES else None
    shapes = [tuple(t.shape[1:]) for t in (*model.inputs, *model.outputs)]
    mirrors = len(shapes) == 2 and shapes[0] == shapes[1] and activation != "softmax"
    if mirrors and meant_for in (None, "regression", "binary"):
        chosen = name if meant_for else "mean_squared_error"
        instance = None if loss is None or isinstance(loss, str) or not meant_for else loss
        function = bind(
            as_loss(instance)
            if instance is not None
            else make_loss(chosen, from_logits=meant_for == "binary" and activation != "sigmoid"),
            labels="regression",
        )
        return Fit(
            loss=function,
            loss_name=chosen,
            label_kind="reconstruction",
            output_kind="values",
            from_logits=False,
            origin="There are no labels and the output has the input's shape: the model is judged by how "
            f"well it reproduces its input; the loss is {chosen}.",
        )
    output_kind: OutputKind = "values"
    if activation == "softmax" or meant_for in ("sparse", "one_hot"):
        output_kind = "classes"
    elif activation == "sigmoid" or meant_for == "binary":
        output_kind = "binary"
    return Fit(
        loss=bind(make_loss("mean_squared_error", from_logits=False), labels="regression"),
        loss_name="distillation",
        label_kind="none",
        output_kind=output_kind,
        from_logits=activation not in ("softmax", "sigmoid"),
        origin="There are no labels: the model follows the original model's outputs.",
    )


def judge_labels(labels: LabelFacts, *, shape: tuple[int, ...]) -> LabelKind:
    """Whether labels look like class numbers, one-hot rows, zeros and ones, or values."""
    if shape and shape[-1] > 1 and labels.shape == shape[:-1] and labels.are_integers:
        return "sparse"
    if not labels.are_bits:
        return "regression"
    return "one_hot" if labels.are_one_hot and labels.shape == shape else "binary"


def _has_shape(label: tuple[int, ...], output: tuple[int | None, ...]) -> bool:
    """Whether labels are of the output's shape, but for an axis of 1 at its end."""
    return len(label) == len(output) or (*label, 1) == output


def _infer(kind: LabelKind, labels: LabelFacts, *, activation: str, output: str) -> tuple[str, str]:
    """The loss that output and labels leave no doubt about, and why."""
    whole = labels.are_integers
    match kind, activation:
        case "sparse", "softmax" | "linear":
            return (
                "sparse_categorical_crossentropy",
                f"the labels are class numbers and the output is {activation}",
            )
        case "one_hot", "softmax":
            return "categorical_crossentropy", "the labels are one-hot and the output is softmax"
        case "one_hot", "linear" if whole:
            return "categorical_crossentropy", "the labels are one-hot integers and the output is linear"
        case (("one_hot" | "binary"), "sigmoid"):
            return "binary_crossentropy", "the labels are 0 or 1 and the output is sigmoid"
        case "regression", _ if not whole and activation != "softmax":
            return "mean_squared_error", "the labels are numbers of the output's shape"
    raise RecipeError(
        "the model was saved without a loss, and its output and labels leave more than one possible",
        where="--loss" + (f" of the output '{output}'" if output else ""),
        why=f"the output is {activation}, the labels look {kind} and are of the type {labels.dtype}",
        fix=f"give --loss{f' {output}=NAME' if output else ''}, one of {', '.join(LOSSES)}",
    )


def _settle_kind(
    name: str, kind: LabelKind, labels: LabelFacts, *, activation: str, where: str, output: str
) -> LabelKind:
    """How labels of this kind are meant under this loss; DataError where they make no sense."""
    match LOSSES[name].labels, kind:
        case "sparse", "sparse":
            return "sparse"
        case "one_hot", "one_hot" | "regression" if labels.shape:  # regression: soft labels
            return "one_hot"
        case "binary", "binary" | "one_hot":
            return "one_hot" if activation == "softmax" else "binary"
        case "regression", "one_hot" if activation == "softmax":
            return "one_hot"
        case "regression", "binary" if activation == "sigmoid":
            return "binary"
        case "regression", "regression" | "binary" | "one_hot":
            return "regression"
    low, high = labels.low, labels.high
    raise DataError(
        f"the labels{f' of the output {output!r}' if output else ''} do not fit the loss {name}",
        where=where,
        why=f"it takes {_WANTED[LOSSES[name].labels]}; they are {_FOUND[kind]}, from {low:g} to {high:g}",
        fix="map them to 0 and 1: (y + 1) / 2"
        if (low, high) == (-1, 1)
        else "change the labels, or give the loss that they are for",
    )


_WANTED: dict[LabelKind, str] = {
    "sparse": "class numbers",
    "one_hot": "one-hot labels or class numbers",
    "binary": "0 or 1 per output",
    "regression": "values of the output's shape",
}


_FOUND = {"sparse": "class numbers", "one_hot": "one-hot", "binary": "0 or 1", "regression": "values"}


def _judge_output(kind: LabelKind, *, activation: str) -> OutputKind:
    if kind in ("sparse", "one_hot"):
        return "classes"
    return "binary" if kind == "binary" else "values"


def _reads_logits(loss: Any, *, activation: str) -> bool:
    """Whether the loss takes outputs before softmax or sigmoid: as it says, else by the last activation."""
    if loss is None:
        return activation not in ("softmax", "sigmoid")
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    return bool(config.get("from_logits", False))
