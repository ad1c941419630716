"""What quantizing did: the ladder that was climbed, and the error of each activation."""

import math
from collections.abc import Sequence
from typing import TypedDict

from edgeprune.report.section import Document, Proof, Section

_SHOWN_DB = 60.0
"""At the end of a bar."""
_POOR_DB = 20.0
"""Below it noise is more than a tenth of the signal."""
_MANY_SATURATED = 0.01
_WORST = 16
"""Layers that have a bar: those with the most noise."""


NOT_TRIED, CHANCE = "not tried", "perhaps by chance"


class RungPart(TypedDict):
    """One thing that was tried; `metric` and `drop` are None where it could not be."""

    name: str
    detail: str
    metric: float | None
    drop: float | None
    kept: bool


class TensorPart(TypedDict):
    """What rounding does to one activation, as `edgeprune.tflite.rounding.TensorError` has it."""

    tensor: int
    name: str
    op: str
    sqnr_db: float
    saturated: float
    range_used: float
    scale: float
    low: float
    high: float
    layer: str


class LadderPart(TypedDict):
    """What was tried to lose less, against `float_metric`, and the errors that are left, worst first."""

    scheme: str
    float_metric: float
    rungs: list[RungPart]
    tensors: list[TensorPart]


class QuantizationPart(TypedDict):
    """How the artefact was quantized.

    `selection` says how the representative samples were chosen, `warning` what it costs that they are few,
    `notes` what is to be known of the file before it is used; `ladder` is None for schemes that have none.
    """

    scheme: str
    io_type: str
    samples: int
    seed: int
    selection: str
    warning: str
    notes: list[str]
    ladder: LadderPart | None


def _summarise_ladder(report: Document) -> Document | None:
    quantization: QuantizationPart | None = report["quantization"]
    ladder = quantization["ladder"] if quantization else None
    # The first rung is the plain file: by itself it is no ladder.
    return summarise_rungs(ladder) if ladder and len(ladder["rungs"]) > 1 else None


def summarise_rungs(ladder: Document) -> Document:
    """The variables of `ladder.html`."""
    rungs = ladder["rungs"]
    judged = [{**rung, "verdict": verdict} for rung, verdict in zip(rungs, judge(rungs), strict=True)]
    return {"rungs": judged, "float_metric": ladder["float_metric"]}


def judge(rungs: Sequence[RungPart]) -> list[str]:
    """Why each was kept or not.

    One that loses less and was not kept did so on one half of the validation samples alone, see `climb`.
    """
    verdicts, best = [], math.inf
    for rung in rungs:
        if rung["drop"] is None:
            verdicts.append(NOT_TRIED)
        elif rung["kept"]:
            best = rung["drop"]
            verdicts.append("kept")
        else:
            verdicts.append(CHANCE if rung["drop"] < best else "no better")
    return verdicts


def _summarise_noise(report: Document) -> Document | None:
    quantization: QuantizationPart | None = report["quantization"]
    ladder = quantization["ladder"] if quantization else None
    if not ladder or not ladder["tensors"]:
        return None
    known = [tensor for tensor in ladder["tensors"] if tensor["sqnr_db"] is not None]
    worst = known[:_WORST]
    if not worst:
        return None
    return {
        "tensors": sorted(worst, key=lambda tensor: tensor["tensor"]),
        "left_out": len(known) - len(worst),
        "shown_db": _SHOWN_DB,
        "poor_db": _POOR_DB,
    }


def _summarise_tensors(report: Document) -> Document | None:
    quantization: QuantizationPart | None = report["quantization"]
    ladder = quantization["ladder"] if quantization else None
    return summarise_errors(ladder) if ladder and ladder["tensors"] else None


def summarise_errors(ladder: Document) -> Document:
    """The variables of `tensors.html`."""
    return {
        "tensors": ladder["tensors"],
        "shown_db": _SHOWN_DB,
        "poor_db": _POOR_DB,
        "many_saturated": _MANY_SATURATED,
    }


def _say(quantization: QuantizationPart) -> list[str]:
    said = (
        f"Quantized to {quantization['scheme']} with {quantization['samples']} representative samples "
        f"({quantization['selection']}). {quantization['warning']}"
    )
    return [said.strip(), *(f"{note[0].upper()}{note[1:]}." for note in quantization["notes"])]


LADDER = Section(reads=("quantization",), summarise=_summarise_ladder, template="ladder.html")
NOISE = Section(reads=("quantization",), summarise=_summarise_noise, template="noise.html")
TENSORS = Section(reads=("quantization",), summarise=_summarise_tensors, template="tensors.html")
QUANTIZED = Proof(reads="quantization", say=_say)
