"""How much flash and RAM a model may take where there is a choice between kernels, and who goes first."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune.device.arena import plan_head, read_arena_inputs, tail_bytes
from edgeprune.device.profile import Profile
from edgeprune.firmware.c.boards import BOARDS
from edgeprune.firmware.c.layer import Layer
from edgeprune.tflite.model import Model

LEAST_STACK_BYTES = 2048
CODE_BYTES, CODE_BYTES_PER_LAYER = 1500, 350
CODE_LOW, CODE_HIGH = 0.4, 1.8
"""Code of an image: from 2.7 KB (ten dense layers) to 7.6 KB (ResNet-8) for the models of MLPerf Tiny."""
BOARD_MARGIN_BYTES = 32 * 1024
"""Of an emulated board's memory that is left to everything but weights and arena."""
_SURELY = 0.95
"""Of a predicted arena, which is right within 2 % for the models that were measured."""
_KIB = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a model may take in bytes; None where nothing is said.

    Attributes:
        flash_bytes: code and constants.
        ram_bytes: arena, state, inputs and outputs.
    """

    flash_bytes: int | None = None
    ram_bytes: int | None = None


def find_room(profile: Profile, *, golden_bytes: int = 0) -> Room:
    """What the budgets of a profile leave, or its memories, and the board that stands for its core in qemu.

    Args:
        profile: the device.
        golden_bytes: of samples that are stored beside the model.
    """
    kept_kib = golden_bytes / _KIB
    flash = [profile.budgets.flash_kib]
    flash += [memory.block_kib - kept_kib for memory in profile.memory if "weights" in memory.holds]
    flash += [
        board.weights[1] - kept_kib - BOARD_MARGIN_BYTES / _KIB
        for board in BOARDS
        if board.core.lower() == profile.core.lower()
    ]
    flash_kib = min((each for each in flash if each is not None), default=None)
    ram = (profile.budgets.ram_kib, profile.largest_any_ram_kib)
    ram_kib = min((each for each in ram if each is not None), default=None)
    return Room(
        flash_bytes=None if flash_kib is None else round(flash_kib * _KIB),
        ram_bytes=None if ram_kib is None else round(ram_kib * _KIB) - LEAST_STACK_BYTES,
    )


def guess_code_bytes(layers: Sequence[Layer]) -> int:
    """Code of an image of these layers; it may be from `CODE_LOW` to `CODE_HIGH` times that."""
    return CODE_BYTES + CODE_BYTES_PER_LAYER * sum(not layer.is_alias for layer in layers)


def choose_faster(layers: Sequence[Layer], *, flash_bytes: int | None) -> set[int]:
    """Places of the layers that are to be replaced by the faster one.

    What saves most instructions for a byte of flash goes first, as long as there is flash.

    Args:
        layers: of a model.
        flash_bytes: what code and constants may take; None for any amount.
    """
    left = float("inf")
    if flash_bytes is not None:
        constants = sum(layer.constant_bytes for layer in layers)
        left = flash_bytes - constants - CODE_HIGH * guess_code_bytes(layers)
    offers = [
        (layer.faster.layer.constant_bytes - layer.constant_bytes, layer.faster.saves, place)
        for place, layer in enumerate(layers)
        if layer.faster is not None
    ]
    chosen: set[int] = set()
    for more_bytes, _, place in sorted(offers, key=lambda offer: offer[0] / offer[1]):
        if more_bytes <= left:
            chosen.add(place)
            left -= more_bytes
    return chosen


def bound_tflm_arena(model: Model) -> int:
    """What TFLM with CMSIS-NN surely takes for its arena on a 32-bit core with SMLAD."""
    inputs = read_arena_inputs(model)
    return int(_SURELY * (plan_head(inputs, "cmsis-nn dsp") + tail_bytes(inputs, "cmsis-nn dsp")))
