"""Golden samples: pictures, with what the artefact and the original answer to them."""

from typing import TypedDict

from edgeprune.report.section import Document, Section


class SamplePart(TypedDict):
    """One test sample whose input is an image.

    `image` is a PNG file as base64, at most 64 pixels wide and high. `label` is the known answer ("" without
    labels), `answer` the artefact's with its score `share` from 0 to 1 (None where outputs are no
    probabilities), and `original` the original's.
    """

    image: str
    label: str
    answer: str
    share: float | None
    original: str


def _summarise(report: Document) -> Document | None:
    samples: list[SamplePart] = report["samples"]
    if not samples:
        return None
    wrong = sum(_is_wrong(sample) for sample in samples)
    return {"samples": [{**sample, "is_wrong": _is_wrong(sample)} for sample in samples], "wrong": wrong}


def _is_wrong(sample: SamplePart) -> bool:
    return sample["answer"] != (sample["label"] or sample["original"])


SAMPLES = Section(reads=("samples",), summarise=_summarise, template="samples.html")
