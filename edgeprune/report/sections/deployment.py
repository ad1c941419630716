"""How to flash this: the commands that bring the artefact onto the device, to be copied."""

from typing import TypedDict

from edgeprune.report.section import Document, Section


class DeployStepPart(TypedDict):
    """One step: what it does, as a sentence, and the command; "" where there is none to copy."""

    say: str
    command: str


class DeploymentPart(TypedDict):
    """How the artefact gets onto its device.

    `steps` are in their order; commands run in the build's output folder. `note` is what else the device's
    profile says of it, "" for nothing.
    """

    steps: list[DeployStepPart]
    note: str


def _summarise(report: Document) -> Document | None:
    deployment: DeploymentPart | None = report["deployment"]
    if deployment is None:
        return None
    return {
        **deployment,
        "device": report["device"]["name"],
        "title": "How to deploy this" if report["device"]["runtime"] == "litert" else "How to flash this",
        "verdict": report["verdict"],
        "script": "\n".join(step["command"] for step in deployment["steps"] if step["command"]),
    }


DEPLOYMENT = Section(
    reads=("deployment", "device", "verdict"), summarise=_summarise, template="deployment.html"
)
