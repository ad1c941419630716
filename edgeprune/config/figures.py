"""The one table of figures: what edgeprune says of a model or a file, what people call it, and its unit."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureKind:
    """One figure.

    Attributes:
        label: what people call it; "{metric}" stands for the name of the task's metric.
        unit: "" for counts and fractions.
    """

    label: str
    unit: str = ""


FIGURES: Mapping[str, FigureKind] = {
    "params": FigureKind(label="parameters"),
    "macs": FigureKind(label="MACs"),
    "tflite_bytes": FigureKind(label=".tflite", unit="bytes"),
    "flash_bytes": FigureKind(label="flash", unit="bytes"),
    "arena_bytes": FigureKind(label="arena", unit="bytes"),
    "ram_bytes": FigureKind(label="RAM", unit="bytes"),
    "instructions": FigureKind(label="instructions"),
    "latency_ms": FigureKind(label="latency", unit="ms"),
    "energy_uj": FigureKind(label="energy", unit="uJ"),
    "float_accuracy": FigureKind(label="{metric}, float"),
    "accuracy": FigureKind(label="{metric}, int8"),
}
"""By name, in the order of tables."""
