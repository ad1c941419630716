"""Sounds sorted into folders by class, read when they are wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array, Batch, Rows
from edgeprune.keras_bridge.data.class_folders import explain_labels, list_files
from edgeprune.keras_bridge.data.parts import Interface, RawData
from edgeprune.keras_bridge.data.wav import Wav, read_frames, read_header

SOUND_SUFFIXES = (".wav",)


def read_sounds(folder: Path, interface: Interface, *, seed: int) -> RawData:
    """WAV files in the folders that `class_folders.py` shows, as float32 in -1 to 1, channels mixed into one.

    Clips that are shorter than the model's input are followed by zeros, of longer ones the start is taken.
    Where the model has one output, class numbers are its labels.

    Raises:
        DataError: no sounds, classes that differ between the parts, an input that takes no sounds, files that
            cannot be read, or sample rates that differ.
    """
    where = str(folder)
    inputs = interface.inputs
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    sizes = tuple(size for size in shape if size is not None)
    if not sizes or len(sizes) != len(shape) or sizes[1:] not in ((), (1,)):
        raise DataError(
            "sounds cannot be fed to this model",
            where=where,
            why="it does not have one input of the shape (samples,) or (samples, 1)",
            fix="give module:function that returns the features it was trained on, or an .npz file of them",
        )
    listed = list_files(folder, SOUND_SUFFIXES, kind="sound", seed=seed)
    wavs = {part: [read_header(path) for path in files.paths] for part, files in listed.parts.items()}
    _check_rates([wav for part in wavs.values() for wav in part], folder=folder)
    labelled = len(interface.outputs) == 1
    return RawData(
        parts={
            part: _rows(wavs[part], labels=files.labels if labelled else None, shape=sizes)
            for part, files in listed.parts.items()
        },
        source=where,
        notes=(
            *listed.notes,
            *_note_lengths([wav.frames for part in wavs.values() for wav in part], sizes[0]),
            *explain_labels(interface),
        ),
        class_names=listed.class_names,
    )


def _rows(wavs: Sequence[Wav], *, labels: Array | None, shape: tuple[int, ...]) -> Rows:
    def fetch(rows: Array) -> Batch:
        x = np.zeros((len(rows), shape[0]), np.float32)
        for place, row in enumerate(rows):
            samples = read_frames(wavs[row], shape[0])
            x[place, : len(samples)] = samples
        return Batch(x=(x.reshape(-1, *shape),), y=None if labels is None else (labels[rows],))

    return Rows(
        count=len(wavs),
        fetch=fetch,
        all_classes=labels,
        origin="sounds are read as they are needed",
        is_costly=True,
    )


def _check_rates(wavs: Sequence[Wav], *, folder: Path) -> None:
    first = wavs[0]
    for wav in wavs:
        if wav.rate_hz != first.rate_hz:
            raise DataError(
                "the sounds differ in their sample rate",
                where=str(folder),
                why=f"{first.path.relative_to(folder)} has {first.rate_hz} Hz, "
                f"{wav.path.relative_to(folder)} {wav.rate_hz} Hz",
                fix="resample all to the rate that the model was trained with",
            )


def _note_lengths(lengths: Sequence[int], wanted: int) -> tuple[str, ...]:
    count = len(lengths)
    shorter, longer = sum(n < wanted for n in lengths), sum(n > wanted for n in lengths)
    notes = []
    if shorter:
        notes.append(f"{shorter} of {count} sounds are shorter than {wanted} samples: zeros follow them.")
    if longer:
        notes.append(f"{longer} of {count} sounds are longer than {wanted} samples: their start is taken.")
    return tuple(notes)
