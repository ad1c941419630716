"""`edgeprune check`: whether a `.tflite` file fits a device. Imports no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.device.check import check_budgets, resolve_budgets, verdict
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.files import read_file
from edgeprune.measuring.backend import check_ops, measure


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """What `edgeprune check` found.

    Attributes:
        file: the file that was checked.
        profile: the device.
        checks: figures against budgets.
        figures: all figures.
        unsupported: what the runtime cannot execute.
        notes: what is worth knowing besides.
    """

    file: Path
    profile: Profile
    checks: tuple[Check, ...]
    figures: Mapping[str, Figure]
    unsupported: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def sentence(self) -> str:
        """The verdict."""
        return verdict(self.checks, self.profile.id)

    def to_json(self) -> dict[str, Any]:
        """The document of `check --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "device": self.profile.id,
            "checks": [check.to_json() for check in self.checks],
            "figures": {name: figure.value for name, figure in self.figures.items()},
            "provenance": {name: figure.to_json() for name, figure in self.figures.items()},
            "unsupported": list(self.unsupported),
            "notes": list(self.notes),
            "ok": self.ok,
            "sentence": self.sentence,
        }


def check(
    path: Path,
    *,
    device: str,
    flash_kib: float | None,
    ram_kib: float | None,
    latency_ms: float | None,
    is_strict: bool = False,
) -> CheckResult:
    """Whether a `.tflite` file fits a device.

    Args:
        path: the file.
        device: a profile's id or file.
        flash_kib: a budget that replaces the profile's.
        ram_kib: likewise.
        latency_ms: likewise.
        is_strict: whether an uncertain verdict is a no.

    Raises:
        ModelError: the file cannot be read.
        UnknownNameError: there is no such device.
        ProfileError: the profile is wrong.
    """
    profile = load_profile(device)
    flags = {"flash_kib": flash_kib, "ram_kib": ram_kib, "latency_ms": latency_ms}
    budgets = resolve_budgets(profile, asked=flags, is_strict=is_strict)
    measured = measure(read_file(path), profile=profile, where=str(path))
    return CheckResult(
        file=path,
        profile=profile,
        checks=(*check_budgets(measured.figures, budgets, profile), check_ops(measured, profile)),
        figures=measured.figures,
        unsupported=measured.unsupported,
        notes=measured.notes,
    )
