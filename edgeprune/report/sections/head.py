"""The head of the page: the verdict, and what it is about."""

from typing import TypedDict

from edgeprune.report.section import Document, Section


class DevicePart(TypedDict):
    """What it was pruned for, from the device's profile."""

    id: str
    name: str
    core: str
    clock_mhz: float | None
    runtime: str
    kernel_library: str


def _summarise(report: Document) -> Document:
    device = report["device"]
    clock = f"{device['clock_mhz']:g} MHz" if device.get("clock_mhz") else ""
    is_uncertain = any(check["verdict"] == "uncertain" for check in report["checks"])
    return {
        "state": "broken" if not report["verdict"] else "uncertain" if is_uncertain else "holds",
        "sentence": report["sentence"],
        "model": report["model"]["name"],
        "device": device["name"],
        "facts": [
            fact for fact in (device["core"], clock, device["runtime"], device["kernel_library"]) if fact
        ],
    }


HEAD = Section(
    reads=("verdict", "sentence", "model", "device", "checks"),
    summarise=_summarise,
    template="head.html",
)
