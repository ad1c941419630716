"""PNG files, taken apart by their specification."""

import struct
import zlib

import pytest

from edgeprune.report.png import encode_png


@pytest.mark.parametrize(("channels", "kind"), [(1, 0), (3, 2)])
def test_a_picture_is_found_again_in_its_file(channels, kind):
    pixels = bytes(range(2 * 3 * channels))
    file = encode_png(pixels, width=3, height=2, channels=channels)
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = [], 8
    while place < len(file):
        (length,) = struct.unpack(">I", file[place : place + 4])
        name, content = file[place + 4 : place + 8], file[place + 8 : place + 8 + length]
        assert struct.unpack(">I", file[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            name + content
        )
        chunks.append((name, content))
        place += 12 + length
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[0][1]) == (3, 2, 8, kind, 0, 0, 0)
    row = 3 * channels
    rows = zlib.decompress(chunks[1][1])
    assert rows == b"\0" + pixels[:row] + b"\0" + pixels[row:]
