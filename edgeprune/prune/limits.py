"""What a plan must respect besides the budgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """How many of a layer's channels must stay.

    Attributes:
        layer: its name.
        family: name of the family the channels belong to.
        count: how many must stay.
    """

    layer: str
    family: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a plan must respect besides the budgets.

    Attributes:
        round_to: numbers of channels become multiples of this where they can; numbers of heads need not.
        min_channels: no family gets narrower than this (or than it was).
        max_ratio: largest fraction of a family's channels that goes in one call.
        least_widths: family name → prunable channels that must stay, on top of `min_channels`.
        dense_widths: family name → prunable channels that the dense model had, where some are gone already.
        floors: what single layers must keep.
        keep: patterns of layer names whose channels stay; see `keep_layers`.
        scope: "global": blocks go where they are least important; "local": every family gives up the same
            fraction of its channels.
        evenness: to which power the fraction of its family that is left without a channel divides its score.
            At 0 a family may be starved for the sake of others: channels count as if each did its own work,
            but the narrower a layer is, the more it lacks one more.
    """

    round_to: int = 1
    min_channels: int = 1
    max_ratio: float = 1.0
    least_widths: Mapping[str, int] = field(default_factory=dict)
    dense_widths: Mapping[str, int] = field(default_factory=dict)
    floors: tuple[Floor, ...] = ()
    keep: tuple[str, ...] = ()
    scope: str = "global"
    evenness: float = 1.0
