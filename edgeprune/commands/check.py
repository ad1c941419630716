"""`edgeprune check`: whether a `.tflite` file fits a device, or which devices. Imports no TensorFlow."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from edgeprune.device.baseline import BaselineComparison, compare_with_baseline
from edgeprune.device.check import (
    check_budgets,
    find_tightest,
    narrow_profile,
    resolve_budgets,
    share_left,
    verdict,
)
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile, load_profile, use_cores
from edgeprune.device.selection import match_profiles
from edgeprune.errors import EdgepruneError, RecipeError, ToolError
from edgeprune.files import FileSource, name_file, read_file, refuse_special
from edgeprune.measuring.backend import check_ops, measure
from edgeprune.measuring.defaults import read_ops
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.runtimes.processes import count_cores
from edgeprune.tflite.delegates import DELEGATES, Delegation, plan_delegation

_DELEGATES: Mapping[str, tuple[str, ...]] = {"mcu": (), "sbc": ("xnnpack",), "phone": ("xnnpack", "gpu")}
"""Delegates that a kind of device offers."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class CheckResult(Summarized):
    """What `edgeprune check` found.

    Attributes:
        file: the file that was checked, or what stands for bytes.
        profile: the device.
        checks: figures against budgets.
        figures: all figures.
        unsupported: what the runtime cannot execute.
        notes: what is worth knowing besides.
        delegations: what the delegates of a phone or board take of the file.
        comparison: with an earlier check; None where there is none.
    """

    file: str
    profile: Profile
    checks: tuple[Check, ...]
    figures: Mapping[str, Figure]
    unsupported: tuple[str, ...]
    notes: tuple[str, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    comparison: BaselineComparison | None = None

    @property
    def fits(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def ok(self) -> bool:
        """Whether it fits, and nothing got worse since the baseline."""
        return self.fits and (self.comparison is None or self.comparison.ok)

    @property
    def margin(self) -> float | None:
        """The smallest part of a budget that is left, as a fraction of it; None where none is known."""
        tightest = find_tightest(self.checks)
        return None if tightest is None else share_left(tightest)

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
            **({} if self.comparison is None else {"baseline": self.comparison.to_json()}),
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        document = self.to_json()
        return Summary(
            self.sentence,
            figures=document["figures"],
            provenance=document["provenance"],
            checks=document["checks"],
        )


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class DeviceChecks(Summarized):
    """One file on many devices.

    Attributes:
        file: the file that was checked, or what stands for bytes.
        results: one for each device; those that it fits first, and of them those with most to spare.
        failures: device → why nothing can be said of it.
        comparison: with an earlier check; None where there is none.
    """

    file: str
    results: tuple[CheckResult, ...]
    failures: Mapping[str, str]
    comparison: BaselineComparison | None = None

    @property
    def fits(self) -> bool:
        """Whether there is a device that it fits."""
        return any(result.fits for result in self.results)

    @property
    def ok(self) -> bool:
        """The same, and nothing got worse since the baseline."""
        return self.fits and (self.comparison is None or self.comparison.ok)

    @property
    def sentence(self) -> str:
        """How many it fits."""
        fitting = [result for result in self.results if result.fits]
        of = f"{len(self.results) + len(self.failures)} devices"
        if not fitting:
            return f"fits none of {of}."
        uncertain = sum(any(c.verdict == "uncertain" for c in result.checks) for result in fitting)
        may = f", {uncertain} of them uncertain" if uncertain else ""
        return f"fits {len(fitting)} of {of}{may}; most is left on {fitting[0].profile.id}."

    def to_json(self) -> dict[str, Any]:
        """The document of `check --json` with more than one device."""
        return {
            "schema": 1,
            "file": self.file,
            "devices": [{**result.to_json(), "margin": result.margin} for result in self.results],
            "failures": dict(self.failures),
            "ok": self.fits,
            "sentence": self.sentence,
            **({} if self.comparison is None else {"baseline": self.comparison.to_json()}),
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(self.sentence)


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
    content, where = read_file(file), name_file(file)
    return _check(content, profile, where=where, budgets=budgets, is_strict=is_strict)


def check_devices(
    file: FileSource,
    *,
    devices: Sequence[str],
    budgets: Mapping[str, float | None] | None = None,
    is_strict: bool = False,
) -> DeviceChecks:
    """Which devices a `.tflite` file fits; it is read once, and run once in each runtime.

    Args:
        file: its path, or its bytes.
        devices: as `match_profiles` takes them.
        budgets: as for `check`.
        is_strict: whether an uncertain verdict is a no.

    Raises:
        ModelError: the file cannot be read.
        UnknownNameError: there is no such device.
        EdgepruneError: nothing can be said of any device; or a tool failed for one, and the file fits none of
            the others.
    """
    profiles = match_profiles(devices)
    content, where = read_file(file), name_file(file)
    read_ops(content, where=where)

    def attempt(profile: Profile) -> CheckResult | EdgepruneError:
        try:
            return _check(content, profile, where=where, budgets=budgets, is_strict=is_strict)
        except RecipeError:  # what is asked for is wrong, whatever the device
            raise
        except EdgepruneError as error:
            return error

    with ThreadPoolExecutor(count_cores()) as pool:
        # Vela compiles for each NPU in a process of its own; meanwhile the others are looked at here.
        npus = {profile.id: pool.submit(attempt, profile) for profile in profiles if profile.npu is not None}
        found = {profile.id: attempt(profile) for profile in profiles if profile.npu is None}
        found |= {device: attempted.result() for device, attempted in npus.items()}
    results = [result for result in found.values() if isinstance(result, CheckResult)]
    errors = {device: error for device, error in found.items() if isinstance(error, EdgepruneError)}
    if errors and not any(result.fits for result in results):
        first = next((error for error in errors.values() if isinstance(error, ToolError)), None)
        if first is not None or not results:
            raise first or next(iter(errors.values()))
    return DeviceChecks(
        file=where,
        results=tuple(sorted(results, key=_rank)),
        failures={device: error.message for device, error in errors.items()},
    )


Held = TypeVar("Held", bound=CheckResult | DeviceChecks)


def hold_against_baseline(result: Held, baseline: Path, *, tolerance: float) -> Held:
    """The result with what got worse since an earlier check.

    Args:
        result: of this check.
        baseline: a document of `check --json`.
        tolerance: by which fraction figures may grow.

    Raises:
        RecipeError: the baseline cannot be read, or is of other devices.
    """
    refuse_special(baseline, RecipeError)
    try:
        before = json.loads(baseline.read_bytes())
    except OSError as error:
        raise RecipeError(
            "the baseline cannot be read",
            where=str(baseline),
            why=error.strerror or str(error),
            fix="write one with 'edgeprune check FILE --device ID --json > baseline.json'",
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError("the baseline is no JSON", where=str(baseline), why=str(error)) from error
    comparison = compare_with_baseline(
        result.to_json(),
        before if isinstance(before, dict) else {},
        baseline=str(baseline),
        tolerance=tolerance,
    )
    return replace(result, comparison=comparison)


def _rank(result: CheckResult) -> tuple[bool, bool, float, str]:
    """Those that fit first, then those of which margins are known, by what is left, then by name."""
    margin = result.margin
    return not result.fits, margin is None, -(margin or 0.0), result.profile.id


def _check(
    content: bytes,
    profile: Profile,
    *,
    where: str,
    budgets: Mapping[str, float | None] | None,
    is_strict: bool,
) -> CheckResult:
    limits = resolve_budgets(profile, asked=budgets, is_strict=is_strict)
    measured = measure(content, profile=narrow_profile(profile, limits), where=where)
    return CheckResult(
        file=where,
        profile=profile,
        checks=(*check_budgets(measured.figures, limits, profile), check_ops(measured, profile)),
        figures=measured.figures,
        unsupported=measured.unsupported,
        notes=measured.notes,
        delegations=tuple(
            plan_delegation(measured.model, DELEGATES[name]) for name in _DELEGATES[profile.kind]
        ),
    )
