"""PNG files of small pictures, for pages that are one file."""

import zlib
from base64 import b64encode

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 3: 2}
"""Channels → "colour type" of the header: grey, or red, green and blue."""


def encode_png(pixels: bytes, *, width: int, height: int, channels: int) -> bytes:
    """A PNG file of 8 bits per channel, without interlacing; see the W3C's specification of PNG.

    Args:
        pixels: height × width × channels values of 0 to 255, row by row.
        width: in pixels.
        height: in pixels.
        channels: 1 for grey, 3 for red, green and blue.
    """
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, _COLOR_TYPES[channels], 0, 0, 0])
    row = width * channels
    # Each row begins with the number of its filter; 0 leaves it as it is.
    rows = b"".join(b"\0" + pixels[start : start + row] for start in range(0, row * height, row))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_frame(name, content) for name, content in chunks)


def as_text(file: bytes) -> str:
    """The file as base64, for JSON."""
    return b64encode(file).decode("ascii")


def _frame(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)
