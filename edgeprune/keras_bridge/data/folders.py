"""A folder of data: images or sounds, whichever it holds."""

from pathlib import Path

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.class_folders import find_file
from edgeprune.keras_bridge.data.images import IMAGE_SUFFIXES, read_images
from edgeprune.keras_bridge.data.parts import Interface, RawData
from edgeprune.keras_bridge.data.sounds import SOUND_SUFFIXES, read_sounds


def read_folder(folder: Path, interface: Interface, *, seed: int) -> RawData:
    """The images or sounds in a folder that `class_folders.py` shows.

    Raises:
        DataError: there are none, or both, or they cannot be used.
    """
    image, sound = find_file(folder, IMAGE_SUFFIXES), find_file(folder, SOUND_SUFFIXES)
    if image is not None and sound is not None:
        raise DataError(
            "there are both images and sounds",
            where=str(folder),
            why=f"for example {image.relative_to(folder)} and {sound.relative_to(folder)}",
            fix="give a folder that holds one of them",
        )
    if image is None and sound is None:
        raise DataError(
            "there are no images or sounds",
            where=str(folder),
            why=f"looked for */*{', */*'.join((*IMAGE_SUFFIXES, *SOUND_SUFFIXES))}",
            fix="make a folder of files for each class, under train/ and test/ or on their own",
        )
    read = read_images if image is not None else read_sounds
    return read(folder, interface, seed=seed)
