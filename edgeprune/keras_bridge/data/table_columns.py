"""What the columns of a table are for: features, labels, the part a row belongs to, what it counts."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.parts import Interface, Port

LABEL_NAMES = ("y", "label", "target", "class")
LABEL_PREFIXES = ("y_", "label_", "target_")
SPLIT_NAME = "split"
WEIGHT_NAMES = ("weight", "sample_weight")
_MOST_NAMES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns of a table, by their numbers.

    Attributes:
        names: of all, as in the header.
        features: for each input of the model, in the order of its values.
        labels: for each output of the model; empty where there are no labels.
        split, weight: the columns of these, or None.
    """

    names: tuple[str, ...]
    features: tuple[tuple[int, ...], ...]
    labels: tuple[tuple[int, ...], ...]
    split: int | None
    weight: int | None


def assign_columns(names: Sequence[str], interface: Interface, *, where: str) -> Columns:
    """The columns of a header, assigned to the model.

    Labels are `y`, `label`, `target`, `class`, what begins with `y_`, `label_` or `target_`, and what is
    named as an output, or as an output with `_<number>` behind. `split` and `weight` (or `sample_weight`) are
    what they say. All others are features: those of one input in the order of the file, those of several are
    named as the input, with `_<number>` behind where it takes more than one. Capitals do not matter.

    Raises:
        DataError: a name is missing or there twice, or the features or labels are not those of the model.
    """
    _check_names(names, where=where)
    folded = [name.casefold() for name in names]
    for_inputs = [_number_of(name, interface.inputs) is not None for name in folded]
    split = _only([i for i, name in enumerate(folded) if name == SPLIT_NAME], names, where=where)
    weight = _only([i for i, name in enumerate(folded) if name in WEIGHT_NAMES], names, where=where)
    labels = [
        i
        for i, name in enumerate(folded)
        if not for_inputs[i] and i not in (split, weight) and _is_label(name, interface.outputs)
    ]
    others = [i for i in range(len(names)) if i not in (split, weight) and i not in labels]
    return Columns(
        names=tuple(names),
        features=_assign_features(others, names, interface.inputs, where=where),
        labels=_assign_labels(labels, names, interface.outputs, where=where),
        split=split,
        weight=weight,
    )


def count_values(tensor: Port) -> int:
    """Values of one sample; -1 where the shape is open."""
    return -1 if None in tensor.shape[1:] else math.prod(size or 0 for size in tensor.shape[1:])


def list_names(names: Sequence[str]) -> str:
    """Some names for a message."""
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")


def _check_names(names: Sequence[str], *, where: str) -> None:
    if "" in names:
        raise DataError(
            f"column {names.index('') + 1} has no name", where=where, fix="name each column in the first line"
        )
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise DataError(
            f"there are two columns '{twice[0]}'", where=where, fix="rename or remove one of them"
        )


def _only(found: Sequence[int], names: Sequence[str], *, where: str) -> int | None:
    if len(found) > 1:
        raise DataError(
            f"'{names[found[0]]}' and '{names[found[1]]}' mean the same",
            where=where,
            fix="remove one of them",
        )
    return found[0] if found else None


def _is_label(name: str, outputs: Sequence[Port]) -> bool:
    named = name in LABEL_NAMES or name.startswith(LABEL_PREFIXES)
    return named or _number_of(name, outputs) is not None


def _number_of(name: str, tensors: Sequence[Port]) -> tuple[int, int] | None:
    """Which tensor a column is of, and which of its values; None where it is called after none."""
    for place, tensor in enumerate(tensors):
        own = tensor.name.casefold()
        if name == own:
            return place, 0
        if found := re.fullmatch(re.escape(own) + r"_(\d+)", name):
            return place, int(found[1])
    return None


def _assign_features(
    columns: Sequence[int], names: Sequence[str], inputs: Sequence[Port], *, where: str
) -> tuple[tuple[int, ...], ...]:
    if len(inputs) == 1:
        groups: list[list[int]] = [list(columns)]
    else:
        groups = _group(columns, [name.casefold() for name in names], names, inputs, "input", where=where)
    for tensor, group in zip(inputs, groups, strict=True):
        wanted = count_values(tensor)
        if wanted != len(group):
            found = f"{len(group)} column{'' if len(group) == 1 else 's'}"
            takes = "an open number of values" if wanted < 0 else f"{wanted} values"
            raise DataError(
                f"there are {found} of features, but the model's input '{tensor.name}' takes {takes}",
                where=where,
                why=f"features are {list_names([names[i] for i in group]) or 'missing'}",
                fix="remove what is no feature, and name labels "
                f"{', '.join(LABEL_NAMES[:-1])} or {LABEL_NAMES[-1]}",
            )
    return tuple(map(tuple, groups))


def _assign_labels(
    columns: Sequence[int], names: Sequence[str], outputs: Sequence[Port], *, where: str
) -> tuple[tuple[int, ...], ...]:
    if not columns or len(outputs) == 1:
        return (tuple(columns),) if columns else ()
    bare = []
    for name in names:
        prefix = next((p for p in LABEL_PREFIXES if name.casefold().startswith(p)), "")
        own = _number_of(name.casefold(), outputs) is not None
        bare.append(name.casefold() if own else name.casefold().removeprefix(prefix))
    groups = _group(columns, bare, names, outputs, "output", where=where)
    for tensor, group in zip(outputs, groups, strict=True):
        if not group:
            raise DataError(
                f"there is no label for the output '{tensor.name}'",
                where=where,
                why=f"labels are {list_names([names[i] for i in columns])}",
                fix=f"add a column '{tensor.name}', or leave all labels out",
            )
    return tuple(map(tuple, groups))


def _group(
    columns: Sequence[int],
    keys: Sequence[str],
    names: Sequence[str],
    tensors: Sequence[Port],
    kind: str,
    *,
    where: str,
) -> list[list[int]]:
    """Columns by the input or output they are called after, in the order of their numbers."""
    groups: list[list[tuple[int, int]]] = [[] for _ in tensors]
    for column in columns:
        found = _number_of(keys[column], tensors)
        if found is None:
            raise DataError(
                f"column '{names[column]}' belongs to no {kind} of the model",
                where=where,
                why=f"its {kind}s are {list_names([tensor.name for tensor in tensors])}",
                fix=f"name it {tensors[0].name}, or {tensors[0].name}_0 and so on, or remove it",
            )
        groups[found[0]].append((found[1], column))
    return [[column for _, column in sorted(group)] for group in groups]
