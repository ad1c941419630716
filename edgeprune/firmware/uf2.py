"""UF2: an image as blocks that a board's boot loader takes from a file copied to its drive.

Every block is 512 bytes, little-endian words:

    bytes      what
    0 to 3     0x0A324655
    4 to 7     0x9E5D5157
    8 to 11    flags: 0x2000, a family is given
    12 to 15   address in flash
    16 to 19   bytes of payload: 256
    20 to 23   number of the block, from 0
    24 to 27   number of blocks
    28 to 31   family
    32 to 507  payload, filled up with zeros
    508 to 511 0x0AB16F30

The format is Microsoft's (github.com/microsoft/uf2); families are from its utils/uf2families.json.
"""

import struct

from edgeprune.registry import Registry

FAMILIES: Registry[int] = Registry("UF2 family")
"""Short name → number."""

PAYLOAD_BYTES = 256
BLOCK_BYTES = 512

_MAGIC_START = (0x0A324655, 0x9E5D5157)
_MAGIC_END = 0x0AB16F30
_FAMILY_IS_GIVEN = 0x2000

for _name, _number in {
    "RP2040": 0xE48BFF56,
    "RP2350_ARM_S": 0xE48BFF59,
    "NRF52840": 0xADA52840,
    "SAMD21": 0x68ED2B88,
    "SAMD51": 0x55114460,
    "STM32F4": 0x57755A57,
    "MIMXRT10XX": 0x4FB2D5BD,
}.items():
    FAMILIES.add(_name, _number)


def format_uf2(image: bytes, *, address: int, family: int) -> bytes:
    """The file for an image.

    Args:
        image: what goes into flash.
        address: where it starts.
        family: a number of `FAMILIES`.
    """
    pieces = [image[start : start + PAYLOAD_BYTES] for start in range(0, len(image), PAYLOAD_BYTES)]
    blocks = []
    for number, piece in enumerate(pieces):
        place = address + number * PAYLOAD_BYTES
        head = struct.pack(
            "<8I", *_MAGIC_START, _FAMILY_IS_GIVEN, place, PAYLOAD_BYTES, number, len(pieces), family
        )
        body = piece.ljust(BLOCK_BYTES - len(head) - 4, b"\0")
        blocks.append(head + body + struct.pack("<I", _MAGIC_END))
    return b"".join(blocks)
