"""Instructions of TFLM's DECODE op. It is plain C++, the same in every kernel library.

The table `tables/decode.json` holds what each loop takes per element on a core; `source` there says how they
were counted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import Decoded, OpShape


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeCost:
    """What one loop takes, in instructions.

    Attributes:
        element: for each element made.
        stored: for each element that PRUNE stores, besides.
        fixed: for each tensor.
    """

    element: float
    stored: float
    fixed: float


def decode_instructions(op: OpShape, *, core: str) -> float:
    """Instructions of one DECODE op.

    Args:
        op: the op, with what it unpacks.
        core: as in the table, for example "cortex-m7".
    """
    costs = load_decode_costs(core)
    total = 0.0
    for made in op.decoded:
        cost = costs[name_loop(made)]
        total += cost.fixed + cost.element * made.elements + cost.stored * made.stored
    return total


def name_loop(made: Decoded) -> str:
    """Which loop unpacks this constant: a key of the table."""
    if made.encoding != "lut":
        return made.encoding
    # int8 indices of 2 to 4 bits are taken many at a time where a channel is one stretch.
    quick = made.dtype == "int8" and made.index_bits in (2, 3, 4) and not made.channel_last
    return "lut_quick" if quick else "lut"


@lru_cache(maxsize=8)
def load_decode_costs(core: str) -> Mapping[str, DecodeCost]:
    """Loop → cost on a core. Raises UnknownNameError for a core on which they were not counted."""
    cores = _load_table()["cores"]
    if core not in cores:
        raise UnknownNameError("core with a table of DECODE", core, cores)
    return {loop: DecodeCost(**cost) for loop, cost in cores[core].items()}


@lru_cache(maxsize=1)
def _load_table() -> Mapping[str, Any]:
    text = (resources.files("edgeprune.device") / "tables" / "decode.json").read_text(encoding="utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table
