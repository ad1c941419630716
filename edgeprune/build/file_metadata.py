"""What a `.tflite` file says about itself: labels, ranges and normalization of inputs, and its origin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.device.profile import Profile
from edgeprune.errors import DataError, RecipeError
from edgeprune.files import refuse_special
from edgeprune.measuring.backend import backend_of
from edgeprune.tflite.annotate import Annotation
from edgeprune.tflite.metadata import ModelMetadata, TensorMetadata
from edgeprune.version import __version__

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.dataset import Data, InputRange

LABELS_FILE = "labels.txt"
"""The attached file with one label per line."""

_BRIGHTEST = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotating:
    """What a file is asked to say about itself.

    Attributes:
        metadata: whether it carries TFLite metadata; None where the runtime decides.
        signatures: whether it keeps a signature with the names of the model's inputs and outputs.
        normalization: (mean, standard deviation) that raw inputs are normalized by before they reach the
            model; None where that is not known.
    """

    metadata: bool | None = None
    signatures: bool = False
    normalization: tuple[float, float] | None = None

    def wants_metadata(self, profile: Profile | None) -> bool:
        """Whether metadata are written: if not said, where the runtime has a use for them."""
        if self.metadata is not None:
            return self.metadata
        return profile is not None and backend_of(profile).writes_metadata


def parse_annotating(
    *, metadata: bool | None, normalization: str | None, keep_signatures: bool | None
) -> Annotating:
    """What flags or a recipe ask for; None where they say nothing.

    Raises:
        RecipeError: `normalization` is not "MEAN,STD".
    """
    return Annotating(
        metadata=metadata,
        signatures=bool(keep_signatures),
        normalization=None if normalization is None else _parse_normalization(normalization),
    )


def _parse_normalization(text: str) -> tuple[float, float]:
    try:
        mean, std = (float(part) for part in text.split(","))
    except ValueError as error:
        raise _bad_normalization(text) from error
    if not (abs(mean) < 1e9 and 0 < std < 1e9):
        raise _bad_normalization(text)
    return mean, std


def _bad_normalization(text: str) -> RecipeError:
    return RecipeError(
        f"normalization '{text}' is no mean and standard deviation",
        fix="give two numbers, the second above 0: 127.5,127.5 for images that become -1 to 1",
    )


def read_labels(path: Path, *, outputs: Sequence[Any]) -> tuple[str, ...]:
    """The labels in a file, one per line.

    Args:
        path: a text file in UTF-8.
        outputs: the model's; the last axis of one of them has the classes.

    Raises:
        DataError: it cannot be read, holds empty lines, or as many labels as no output has classes.
    """
    refuse_special(path, DataError)
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the labels cannot be read", where=str(path), why=str(error)) from error
    labels = tuple(line.strip() for line in lines)
    if "" in labels:
        raise DataError(
            f"line {labels.index('') + 1} is empty", where=str(path), fix="give every class a name"
        )
    classes = [tensor.shape[-1] for tensor in outputs if len(tensor.shape) > 1]
    if len(labels) not in classes:
        wanted = " or ".join(str(count) for count in dict.fromkeys(classes))
        raise DataError(
            f"there are {len(labels)} labels",
            where=str(path),
            why=f"the model's output has {wanted or 'no'} classes",
            fix="give one label per class, one per line, in the order of the classes",
        )
    return labels


def name_outputs(model: keras.Model) -> list[str]:
    """Names of the layers that give the outputs, in their order."""
    functional = getattr(model, "_functional", model)  # a Sequential model keeps them in a functional one
    return list(functional.output_names)


def compose_annotation(
    model: keras.Model,
    *,
    asked: Annotating,
    profile: Profile | None,
    data: Data | None,
    labels: Sequence[str],
    description: str,
) -> Annotation:
    """What is to be written into the file of a model.

    Args:
        model: what is converted; its inputs and outputs are those of the file, in their order.
        asked: what is wanted.
        profile: the device, None where there is none.
        data: what the model was fed; None where there are none.
        labels: of the classes; empty where they are not known.
        description: where the file comes from, in sentences.
    """
    inputs = tuple(tensor.name for tensor in model.inputs)
    outputs = tuple(name_outputs(model))
    annotation = Annotation()
    if asked.signatures:
        annotation = Annotation(
            inputs=_read_keys(model, "_inputs_struct") or _tell_apart(inputs),
            outputs=_read_keys(model, "_outputs_struct") or _tell_apart(outputs),
        )
    if not asked.wants_metadata(profile):
        return annotation
    ranges = [None] * len(inputs) if data is None else list(data.ranges)
    described = [
        _describe_input(tensor.name, tuple(tensor.shape), range_seen=seen, normalization=asked.normalization)
        for tensor, seen in zip(model.inputs, ranges, strict=True)
    ]
    labelled = next((i for i, t in enumerate(model.outputs) if labels and t.shape[-1] == len(labels)), None)
    metadata = ModelMetadata(
        name=model.name,
        description=description,
        inputs=tuple(described),
        outputs=tuple(
            TensorMetadata(name=name, labels=LABELS_FILE if place == labelled else "")
            for place, name in enumerate(outputs)
        ),
    )
    files = {} if labelled is None else {LABELS_FILE: "".join(f"{label}\n" for label in labels).encode()}
    return replace(annotation, metadata=metadata, files=files)


def _read_keys(model: keras.Model, structure: str) -> tuple[str, ...]:
    """The keys of a model whose inputs or outputs are a dict, in the order of its tensors; else empty."""
    import keras

    given = getattr(model, structure, None)
    if not isinstance(given, dict):
        return ()
    paths = [path for path, _ in keras.tree.flatten_with_path(given)]
    return tuple("/".join(map(str, path)) for path in paths)


def _describe_input(
    name: str,
    shape: tuple[int | None, ...],
    *,
    range_seen: InputRange | None,
    normalization: tuple[float, float] | None,
) -> TensorMetadata:
    described = TensorMetadata(name=name)
    if range_seen is not None:
        described = replace(described, minimum=(range_seen.minimum,), maximum=(range_seen.maximum,))
        pixels = range_seen.dtype == "uint8" and range_seen.maximum == _BRIGHTEST
        if pixels and len(shape) == 4 and shape[-1] in (1, 3):
            # As a camera gives them: what else they need is in the model.
            described = replace(
                described, color_space="grayscale" if shape[-1] == 1 else "rgb", mean=(0.0,), std=(1.0,)
            )
    if normalization is not None:
        described = replace(described, mean=normalization[:1], std=normalization[1:])
    return described


def _tell_apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names, numbered where several are the same: a signature's must differ."""
    return tuple(name if names.count(name) == 1 else f"{name}_{place}" for place, name in enumerate(names))


def describe_origin(
    *, device: str, model_sha256: str, seed: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """All that decided on a build's result: what its manifest holds beside the list of its files."""
    return {
        "edgeprune": __version__,
        "device": device,
        "model_sha256": model_sha256,
        "seed": seed,
        "settings": dict(settings),
    }


def hash_origin(origin: Mapping[str, Any]) -> str:
    """SHA-256 of the origin as JSON with sorted keys and no spaces, which metadata and manifest share.

    The files are not in it, because the model that says the hash is one of them.
    """
    return sha256(json.dumps(origin, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
