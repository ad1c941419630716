import struct

import pytest

from edgeprune.errors import UnknownNameError
from edgeprune.firmware.uf2 import FAMILIES, format_uf2


def test_an_image_becomes_numbered_blocks_of_512_bytes():
    data = format_uf2(bytes(range(256)) + b"end", address=0x10000000, family=FAMILIES["RP2040"])
    assert len(data) == 1024
    first, second = (struct.unpack("<8I476sI", data[start : start + 512]) for start in (0, 512))
    assert first[:8] == (0x0A324655, 0x9E5D5157, 0x2000, 0x10000000, 256, 0, 2, 0xE48BFF56)
    assert first[8] == bytes(range(256)) + bytes(220)
    assert second[3:7] == (0x10000100, 256, 1, 2)
    assert second[8] == b"end" + bytes(473)
    assert first[9] == second[9] == 0x0AB16F30


def test_an_unknown_family_is_refused():
    with pytest.raises(UnknownNameError, match="RP2040"):
        FAMILIES["RP2041"]
