"""What a build gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.build.output import write_output
from edgeprune.build.report import Outcome
from edgeprune.device.figures import Check, Figure
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.report.schema import Report

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class BuildResult(Summarized):
    """What `edgeprune build` made.

    Attributes:
        outcome: everything that is known of it.
        report: the same as a document.
    """

    outcome: Outcome
    report: Report

    @property
    def fits(self) -> bool:
        """Whether every check holds."""
        return self.report.verdict

    @property
    def sentence(self) -> str:
        """The verdict."""
        return self.report.sentence

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Every figure of the artefact, by name."""
        return self.outcome.pruned.figures

    @property
    def checks(self) -> tuple[Check, ...]:
        """The artefact's figures against what is allowed."""
        return self.outcome.checks

    @property
    def tflite(self) -> bytes:
        """The artefact, `model.tflite` of the output directory."""
        return self.outcome.pruned.tflite

    @property
    def model(self) -> keras.Model:
        """The pruned float model."""
        return self.outcome.pruned.model

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the output directory, whole or not at all, and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        write_output(Path(output), self.outcome, report=self.report, force=force)
        return Path(output)

    def to_json(self) -> dict[str, Any]:
        """The document of `build --json`, and `report.json`."""
        return self.report.to_json()

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(
            self.sentence,
            figures=self.report.pruned,
            checks=self.report.checks,
            provenance=self.report.provenance["pruned"],
        )
