"""`edgeprune check`: whether a `.tflite` file fits a device. Imports no TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeprune.device.check import check_budgets, resolve_budgets, verdict
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile, load_profile, use_cores
from edgeprune.files import FileSource, name_file, read_file
from edgeprune.measuring.backend import check_ops, measure
from edgeprune.report.notebook import draw_result
from edgeprune.tflite.delegates import DELEGATES, Delegation, plan_delegation

_DELEGATES: Mapping[str, tuple[str, ...]] = {"mcu": (), "sbc": ("xnnpack",), "phone": ("xnnpack", "gpu")}
"""Delegates that a kind of device offers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """What `edgeprune check` found.

    Attributes:
        file: the file that was checked, or what stands for bytes.
        profile: the device.
        checks: figures against budgets.
        figures: all figures.
        unsupported: what the runtime cannot execute.
        notes: what is worth knowing besides.
        delegations: what the delegates of a phone or board take of the file.
    """

    file: str
    profile: Profile
    checks: tuple[Check, ...]
    figures: Mapping[str, Figure]
    unsupported: tuple[str, ...]
    notes: tuple[str, ...] = ()
    delegations: tuple[Delegation, ...] = ()

    @property
    def fits(self) -> bool:
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
            "file": self.file,
            "device": self.profile.id,
            "checks": [check.to_json() for check in self.checks],
            "figures": {name: figure.value for name, figure in self.figures.items()},
            "provenance": {name: figure.to_json() for name, figure in self.figures.items()},
            "unsupported": list(self.unsupported),
            "notes": list(self.notes),
            "delegates": [delegation.to_json() for delegation in self.delegations],
            "ok": self.fits,
            "sentence": self.sentence,
        }

    def _repr_html_(self) -> str:
        document = self.to_json()
        return draw_result(
            self.sentence,
            figures=document["figures"],
            provenance=document["provenance"],
            checks=document["checks"],
        )


def check(
    file: FileSource,
    *,
    device: str,
    budgets: Mapping[str, float | None] | None = None,
    is_strict: bool = False,
    cores: str | None = None,
) -> CheckResult:
    """Whether a `.tflite` file fits a device.

    Args:
        file: its path, or its bytes.
        device: a profile's id or file.
        budgets: those that replace the profile's, by the keys of `BUDGETS`.
        is_strict: whether an uncertain verdict is a no.
        cores: which of the device's cores run; None for the profile's.

    Raises:
        ModelError: the file cannot be read.
        UnknownNameError: there is no such device.
        ProfileError: the profile is wrong.
        RecipeError: the device has no such cores.
    """
    profile = load_profile(device)
    if cores is not None:
        profile = use_cores(profile, cores)
    limits = resolve_budgets(profile, asked=budgets, is_strict=is_strict)
    measured = measure(read_file(file), profile=profile, where=name_file(file))
    return CheckResult(
        file=name_file(file),
        profile=profile,
        checks=(*check_budgets(measured.figures, limits, profile), check_ops(measured, profile)),
        figures=measured.figures,
        unsupported=measured.unsupported,
        notes=measured.notes,
        delegations=tuple(
            plan_delegation(measured.model, DELEGATES[name]) for name in _DELEGATES[profile.kind]
        ),
    )
