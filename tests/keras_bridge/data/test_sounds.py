import struct
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.folders import read_folder
from edgeprune.keras_bridge.data.parts import Interface
from edgeprune.keras_bridge.data.wav import read_frames, read_header


@dataclass(frozen=True)
class End:
    name: str
    shape: tuple[int | None, ...]


TWO_CLASSES = (End("class", (None, 2)),)


def model(*shape: int | None, outputs: tuple[End, ...] = TWO_CLASSES) -> Interface:
    return Interface(inputs=(End("sound", (None, *shape)),), outputs=outputs)


def write(path: Path, samples: Sequence[int], *, rate: int = 16000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.array(samples, "<i2").tobytes())
    return path


def encode(
    content: bytes,
    *,
    codec: int = 1,
    bits: int = 16,
    channels: int = 1,
    before: bytes = b"",
    size: int | None = None,
    whole: int = 36,
    extensible: bool = False,
) -> bytes:
    frame = channels * bits // 8
    told = 0xFFFE if extensible else codec
    form = struct.pack("<HHIIHH", told, channels, 8000, 8000 * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH14x", 22, bits, 0, codec)
    data = b"data" + struct.pack("<I", len(content) if size is None else size) + content
    head = b"RIFF" + struct.pack("<I", whole) + b"WAVE" + before
    return head + b"fmt " + struct.pack("<I", len(form)) + form + data


def refusal(run: Callable[[], object]) -> DataError:
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.fix
    assert caught.value.where
    assert "\n" not in caught.value.message
    return caught.value


VALUES = np.array([0, 0.5, -1, 0.25])


@pytest.mark.parametrize(
    "content",
    [
        encode((VALUES * 128 + 128).astype(np.uint8).tobytes(), bits=8),
        encode((VALUES * 2**15).astype("<i2").tobytes()),
        encode((VALUES * 2**31).astype("<i4").view(np.uint8).reshape(4, 4)[:, 1:].tobytes(), bits=24),
        encode((VALUES * 2**31).astype("<i4").tobytes(), bits=32),
        encode(VALUES.astype("<f4").tobytes(), codec=3, bits=32),
        encode(VALUES.astype("<f8").tobytes(), codec=3, bits=64),
        encode((VALUES * 2**15).astype("<i2").tobytes(), extensible=True),
        encode(VALUES.astype("<f4").tobytes(), codec=3, bits=32, extensible=True),
        encode((VALUES * 2**15).astype("<i2").tobytes(), before=b"LIST" + struct.pack("<I3sx", 3, b"odd")),
        encode((VALUES * 2**15).astype("<i2").tobytes(), size=0xFFFFFFFF, whole=0xFFFFFFFF),
        encode((VALUES * 2**15).astype("<i2").tobytes(), size=0, whole=0),
        encode((VALUES * 2**15).astype("<i2").repeat(2).tobytes(), channels=2),
    ],
)
def test_each_encoding_gives_the_same_values(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    wav = read_header(tmp_path / "a.wav")
    assert (wav.rate_hz, wav.frames) == (8000, 4)
    samples = read_frames(wav, 10)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, VALUES)
    np.testing.assert_array_equal(read_frames(wav, 2), VALUES[:2])


def test_channels_are_mixed_into_their_mean(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", [8192, 16384, -8192, 8192], channels=2)
    np.testing.assert_array_equal(read_frames(read_header(path), 9), [0.375, 0])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends too early"),
        (b"OggS" + bytes(40), "does not begin"),
        (encode(b"")[:20], "ends too early"),
        (encode(b"")[:36], "ends too early"),
        (encode(bytes(8))[:-3], "3 bytes are missing"),
        (encode(b""), "no samples"),
        (encode(bytes(4), codec=6, bits=8), "codec 6 with 8 bits"),
        (encode(bytes(4), bits=12), "codec 1 with 12 bits"),
        (encode(bytes(4), channels=0), "0 channels"),
    ],
)
def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    error = refusal(lambda: read_header(tmp_path / "a.wav"))
    assert why in error.why
    assert "a.wav" in error.where


def test_a_file_that_is_cut_off_later_is_refused(tmp_path: Path) -> None:
    wav = read_header(write(tmp_path / "a.wav", [1, 2, 3]))
    wav.path.write_bytes(wav.path.read_bytes()[:-1])
    assert "shorter than it was" in refusal(lambda: read_frames(wav, 3)).why
    wav.path.unlink()
    refusal(lambda: read_frames(wav, 3))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_folder_by_class_is_split_padded_and_cropped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for i in range(5):
        write(tmp_path / "no" / f"{i}.wav", [16384, 8192])
        write(tmp_path / "yes" / f"{i}.WAV", [-16384, 8192, 0, 4096])
    raw = read_folder(tmp_path, model(*shape), seed=0)
    assert raw.class_names == ("no", "yes")
    assert {part: source.samples for part, source in raw.parts.items()} == {"train": 8, "test": 2}
    batch = raw.parts["train"].take(np.arange(8))
    assert batch.y is not None
    np.testing.assert_array_equal(batch.y[0], [0] * 4 + [1] * 4)
    np.testing.assert_array_equal(batch.x[0].reshape(8, 3), [[0.5, 0.25, 0]] * 4 + [[-0.5, 0.25, 0]] * 4)
    assert batch.x[0].shape[1:] == shape
    assert raw.notes == (
        "A fifth of the sounds of each class is the test set.",
        "5 of 10 sounds are shorter than 3 samples: zeros follow them.",
        "5 of 10 sounds are longer than 3 samples: their start is taken.",
    )


def test_parts_are_kept_apart_and_nothing_is_said_of_sounds_that_fit(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write(tmp_path / part / "a" / "1.wav", [1, 2])
    raw = read_folder(tmp_path, model(2), seed=0)
    assert set(raw.parts) == {"train", "test"}
    assert raw.notes == ()


def test_classes_are_no_labels_of_several_outputs(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.wav", [1, 2])
    raw = read_folder(tmp_path, model(2, outputs=TWO_CLASSES * 2), seed=0)
    assert raw.parts["train"].take(np.arange(1)).y is None


def test_sample_rates_that_differ_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.wav", [1, 2])
    write(tmp_path / "a" / "2.wav", [1, 2], rate=8000)
    error = refusal(lambda: read_folder(tmp_path, model(2), seed=0))
    assert error.why == "a/1.wav has 16000 Hz, a/2.wav 8000 Hz"


@pytest.mark.parametrize("shape", [(49, 10, 1), (3, 2), (None,), (None, 1), ()])
def test_sounds_for_a_model_of_features_are_refused(tmp_path: Path, shape: Any) -> None:
    write(tmp_path / "a" / "1.wav", [1, 2])
    assert "module:function" in refusal(lambda: read_folder(tmp_path, model(*shape), seed=0)).fix
