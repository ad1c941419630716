"""Files sorted into folders by class.

train/<class>/*    test/<class>/*    val/<class>/*      or validation/, valid/
<class>/*                                               of which a fifth becomes the test set
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array
from edgeprune.keras_bridge.data.parts import PARTS, Interface

TEST_FRACTION = 0.2  # of what is not split
_PART_OF = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}

ByClass = dict[str, list[Path]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Files:
    """Files of one part, sorted by class.

    Attributes:
        paths: of all.
        labels: (files,) class numbers.
    """

    paths: tuple[Path, ...]
    labels: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassFolders:
    """What a folder holds.

    Attributes:
        parts: "train", and "val" and "test" where there are any.
        class_names: in the order of the class numbers, which is that of the alphabet.
        notes: sentences for the report.
    """

    parts: Mapping[str, Files]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def list_files(folder: Path, suffixes: Sequence[str], *, kind: str, seed: int) -> ClassFolders:
    """The files of a folder, by part and class.

    Args:
        folder: see above.
        suffixes: of the files, in small letters.
        kind: what they are, for messages: "image" or "sound".
        seed: of the test set that is drawn where there are no parts.

    Raises:
        DataError: there are none, or a class stands in a part, but not in train.
    """
    where = str(folder)
    split = (folder / "train").is_dir()
    listed, notes = _list_parts(folder, suffixes) if split else _draw_test(folder, suffixes, kind, seed)
    names = sorted(listed.get("train", {}))
    if not names:
        raise DataError(
            f"there are no {kind}s",
            where=where,
            why=f"looked for */*{', */*'.join(suffixes)}",
            fix=f"make a folder of {kind}s for each class, under train/ and test/ or on their own",
        )
    for part, by_class in listed.items():
        if unknown := sorted(set(by_class) - set(names)):
            raise DataError(
                f"class '{unknown[0]}' stands in {part}/ but not in train/",
                where=where,
                fix="name them alike",
            )
    return ClassFolders(
        parts={part: _number(listed[part], names) for part in PARTS if part in listed},
        class_names=tuple(names),
        notes=notes,
    )


def find_file(folder: Path, suffixes: Sequence[str]) -> Path | None:
    """A file with one of the suffixes in the folder of a class, or None."""
    roots = [path for path in _folders(folder) if path.name in _PART_OF]
    for root in roots if (folder / "train").is_dir() else [folder]:
        for paths in _list_classes(root, suffixes, first=True).values():
            return paths[0]
    return None


def explain_labels(interface: Interface) -> tuple[str, ...]:
    """Why the classes are no labels, as a note; nothing where they are."""
    if len(interface.outputs) == 1:
        return ()
    return (f"The folders' classes are not used as labels: the model has {len(interface.outputs)} outputs.",)


def _list_parts(folder: Path, suffixes: Sequence[str]) -> tuple[dict[str, ByClass], tuple[str, ...]]:
    listed: dict[str, ByClass] = {}
    unused = []
    for path in _folders(folder):
        part = _PART_OF.get(path.name)
        by_class = _list_classes(path, suffixes) if part is not None and part not in listed else {}
        if part is not None and by_class:
            listed[part] = by_class
        else:
            unused.append(f"{path.name}/")
    return listed, (f"Not used: {', '.join(unused)}.",) if unused else ()


def _draw_test(
    folder: Path, suffixes: Sequence[str], kind: str, seed: int
) -> tuple[dict[str, ByClass], tuple[str, ...]]:
    rng = np.random.default_rng(seed)
    train: ByClass = {}
    test: ByClass = {}
    for name, paths in _list_classes(folder, suffixes).items():
        order = rng.permutation(len(paths))
        cut = round(TEST_FRACTION * len(paths))
        train[name] = [paths[i] for i in sorted(order[cut:])]
        if cut:
            test[name] = [paths[i] for i in sorted(order[:cut])]
    if not test:
        return {"train": train}, ()
    return {"train": train, "test": test}, (f"A fifth of the {kind}s of each class is the test set.",)


def _folders(folder: Path) -> Iterator[Path]:
    """Those in it, but not what file systems and archives leave behind."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "__MACOSX")):
            yield path


def _list_classes(folder: Path, suffixes: Sequence[str], *, first: bool = False) -> ByClass:
    """Files by class; with `first` those of one class alone."""
    listed = {}
    for directory in _folders(folder):
        found = (path for path in directory.iterdir() if path.suffix.lower() in suffixes)
        if paths := sorted(path for path in found if not path.name.startswith(".")):
            listed[directory.name] = paths
            if first:
                break
    return listed


def _number(by_class: ByClass, names: Sequence[str]) -> Files:
    numbers = {name: number for number, name in enumerate(names)}
    counts = [len(paths) for paths in by_class.values()]
    return Files(
        paths=tuple(path for paths in by_class.values() for path in paths),
        labels=np.repeat(np.array([numbers[name] for name in by_class], np.int64), counts),
    )
