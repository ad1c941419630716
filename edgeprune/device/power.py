"""Energy of an inference: a board's power times its latency.

Over the networks that one board was measured with, power differs by a few percent to a third, so one number
per board will do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import hypot

from edgeprune.config.tables import TableError, ruled
from edgeprune.device.figures import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """What a board draws while it computes.

    Attributes:
        active_mw: milliwatts during an inference, at the profile's clock.
        low_mw, high_mw: the least and the most of the networks it was measured with.
        source: the measurement, with the supply voltage where it is stated.
    """

    active_mw: float = ruled(above=0)
    low_mw: float = ruled(above=0)
    high_mw: float = ruled(above=0)
    source: str


def find_power_faults(power: Power) -> Iterator[TableError]:
    """What contradicts itself in a `[power]` table."""
    if not power.low_mw <= power.active_mw <= power.high_mw:
        problem = f"is {power.active_mw:g}, outside low_mw ({power.low_mw:g}) to high_mw ({power.high_mw:g})"
        yield TableError(key="power.active_mw", problem=problem)
    if not power.source:
        yield TableError(key="power.source", problem="is empty; a number without a source is no fact")


def add_energy(figures: Mapping[str, Figure], power: Power | None) -> dict[str, Figure]:
    """The figures with `energy_uj`, microjoules of an inference, where power and latency are known."""
    latency = figures.get("latency_ms")
    if power is None or latency is None or latency.value is None:
        return dict(figures)
    value = latency.value * power.active_mw
    down, up = 1 - power.low_mw / power.active_mw, power.high_mw / power.active_mw - 1
    if latency.low is not None and latency.high is not None and latency.value:
        down = hypot(down, 1 - latency.low / latency.value)
        up = hypot(up, latency.high / latency.value - 1)
    energy = Figure(
        value=value,
        unit="uJ",
        source="estimated",
        evidence=f"latency ({latency.source}) x {power.active_mw:g} mW: {power.source}",
        low=max(value * (1 - down), 0.0),
        high=value * (1 + up),
    )
    return {**figures, "energy_uj": energy}
