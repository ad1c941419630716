"""Files that travel with a model, such as its labels: a zip archive behind the flatbuffer.

Runtimes read the flatbuffer from its start and never see what follows; zip readers look for their directory
at the end. TFLite's metadata tools put labels and vocabularies there, stored and not compressed, because some
readers on phones know no other way.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from edgeprune.errors import ModelError
from edgeprune.tflite.metadata import ENTRY
from edgeprune.tflite.model import Model

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a way of compressing that Python does not know
    OSError,
    RuntimeError,  # encrypted
    ValueError,
    UnicodeError,
)
_LARGEST_EXPANSION = 10
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold: the same files give the same bytes


def read_attached(data: bytes, model: Model) -> dict[str, bytes]:
    """The files behind a flatbuffer, by name; none where the model has no TFLite metadata or no archive.

    Args:
        data: a whole `.tflite` file.
        model: the same, read.

    Raises:
        ModelError: there is an archive, and it is damaged or would unfold to much more than the file.
    """
    stream = io.BytesIO(data)
    if ENTRY not in model.metadata or not zipfile.is_zipfile(stream):
        return {}
    try:
        with zipfile.ZipFile(stream) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
            if unfolded > _LARGEST_EXPANSION * len(data):
                raise ModelError(
                    "the archive behind the model is damaged",
                    where=model.where,
                    why=f"{len(data)} bytes would unfold to {unfolded}",
                )
            return {member.filename: archive.read(member) for member in archive.infolist()}
    except _DAMAGED as error:
        raise ModelError(
            "the archive behind the model is damaged",
            where=model.where,
            why=str(error) or type(error).__name__,
            fix="strip the file with --drop-interface, or attach its labels again",
        ) from error


def attach(tflite: bytes, files: Mapping[str, bytes]) -> bytes:
    """The model with these files behind it; equal files give equal bytes.

    Args:
        tflite: a flatbuffer without an archive.
        files: content by name, in the order to be kept; where there are none, nothing is added.
    """
    if not files:
        return tflite
    stream = io.BytesIO()
    stream.write(tflite)
    # Mode "a" would look for an archive in the model itself, whose bytes can be anything.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return stream.getvalue()
