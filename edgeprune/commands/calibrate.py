"""A profile's latency law from one's own measurements."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import exp, hypot, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.device.fitting import fit_law, hold_out, interval_of
from edgeprune.device.latency import LatencyModel
from edgeprune.device.profile import Profile, find_profile, load_profile
from edgeprune.device.profile_text import replace_table
from edgeprune.device.record import ENGINE, PLACES, WORK_MS, Record, read_record
from edgeprune.device.samples import Law, Sample, count_architectures
from edgeprune.errors import DataError, ProfileError
from edgeprune.files import refuse_existing, whole_file

_MODELS_FOR_PACES = 3
_OF_MODELS, _REACH = {"instructions": 0.08, "work": 0.13, "macs": 0.48}, 1.8
"""What a law with one factor of its own errs by for unseen models, standard deviation of the logarithm (on a
NUCLEO-L4R5ZI, by work on phones, and by multiply-accumulates on an STM32MP157), and how many of them hold
nine of ten cases."""
_LEAST_REACH = 1.02
"""No interval is narrower: clocks and compilers differ by as much."""
_FILES_NAMED = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibrated:
    """One record under the old law, if there was one, and the new one, in milliseconds at its clock."""

    file: str
    measured_ms: float
    before_ms: float | None
    after_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What `edgeprune devices calibrate` did.

    Attributes:
        profile: id of the profile.
        output: the file that was written.
        law: the new `[latency]` table.
        rows: the records.
        method: how the constants were found, one clause.
    """

    profile: str
    output: Path
    law: LatencyModel
    rows: tuple[Calibrated, ...]
    method: str

    def to_json(self) -> dict[str, Any]:
        """The document of `devices calibrate --json`."""
        return {
            "schema": 1,
            "device": self.profile,
            "output": str(self.output),
            "latency": asdict(self.law),
            "records": [asdict(row) for row in self.rows],
            "method": self.method,
        }


def calibrate(
    device: str, records: Sequence[Path], *, output: Path | None = None, force: bool = False
) -> Calibration:
    """Fit a profile's latency law to records and write the profile.

    One or two different models scale the law there is; from three on, a law of their own is fitted and taken
    if it foretells models it has not seen better than the scaled one. A profile without a law gets one by
    multiply-accumulates.

    Args:
        device: a profile's id or file.
        records: what `edgeprune bench` wrote.
        output: the profile to write; if not given, the file that `device` names, or `<id>.toml` here.
        force: replace an output that exists; the file that `device` names is always replaced.

    Raises:
        DataError: a record cannot be used, or was measured elsewhere than on the device.
        ProfileError: the profile is broken, or its latency comes from an NPU's compiler, or its file does not
            have [latency] as a table of its own.
        OutputError: the output exists and `force` is not set, or it cannot be written.
    """
    profile = load_profile(device)
    source = find_profile(device)
    is_own = source == Path(device)
    target = output or (source if is_own else Path(f"{profile.id}.toml"))
    in_place = is_own and target.exists() and target.samefile(source)
    refuse_existing(target, force=force or in_place)
    read = [_check_record(path, read_record(path), profile) for path in records]
    law, method = fit_profile([record.to_sample() for record in read], profile)
    law = replace(law, source=_describe_source(read, method))
    text = _write_law(source, law)
    with whole_file(target, force=force or in_place) as temporary:
        temporary.write_text(text, encoding="utf-8")
    rows = tuple(
        Calibrated(
            file=record.file,
            measured_ms=record.latency_ms,
            before_ms=None if profile.latency.by == "none" else _foretell(record, profile.latency),
            after_ms=_foretell(record, law),
        )
        for record in read
    )
    return Calibration(profile=profile.id, output=target, law=law, rows=rows, method=method)


def fit_profile(samples: Sequence[Sample], profile: Profile) -> tuple[LatencyModel, str]:
    """The profile's law with constants from the samples, and how they were found."""
    law = profile.latency if profile.latency.by != "none" else replace(profile.latency, by="macs")
    old = _constants(law)
    models = count_architectures(samples)
    scaled = _rescale(old, samples)
    logs = [log(sample.cycles / scaled.estimate(sample)) for sample in samples]
    reach = exp(_REACH * hypot(_OF_MODELS[law.by], float(np.sqrt(np.mean(np.square(logs))))))
    fitted, low, high = scaled, 1 / reach, reach
    method = f"the law there was, times one factor, from {models} {'model' if models == 1 else 'models'}"
    if models >= _MODELS_FOR_PACES and law.by != "work":
        ratios, own = _hold_out_scaled(old, samples), _fit_own(samples)
        if own is not None and _size(own[1]) < _size(ratios):
            fitted, ratios = own
            method = f"a law of its own from {models} models"
        low, high = interval_of(ratios, independent=models)
    paces = {kind: pace for kind, pace in fitted.cycles_by_kind.items() if kind != "macs"}
    changed: dict[str, Any] = {
        "low": min(low, 1 / _LEAST_REACH),
        "high": max(high, _LEAST_REACH),
        "evidence": "measured",
    }
    if law.by == "work":
        return replace(law, times=fitted.cycles_per_instruction, **changed), method
    if law.by == "macs":
        pace = fitted.cycles_by_kind.get("macs", fitted.cycles_per_instruction)
        return replace(law, ms_per_mac=pace, base_ms=fitted.cycles_per_op, **changed), method
    return (
        replace(
            law,
            cycles_per_instruction=fitted.cycles_per_instruction,
            cycles_by_kind=paces,
            cycles_per_weight_byte=fitted.cycles_per_weight_byte,
            cycles_per_op=fitted.cycles_per_op,
            **changed,
        ),
        method,
    )


def _foretell(record: Record, law: LatencyModel) -> float:
    """What a law says of a recorded model, in milliseconds at its clock."""
    estimate = _constants(law).estimate(record.to_sample())
    return estimate if law.by in ("macs", "work") else estimate / (record.clock_mhz * 1e3)


def _write_law(source: Path, law: LatencyModel) -> str:
    """The text of a profile's file with that law."""
    try:
        return replace_table(source.read_text(encoding="utf-8"), "latency", _to_table(law))
    except ValueError as error:
        raise ProfileError(
            "its latency cannot be written anew",
            where=str(source),
            why=str(error),
            fix="write [latency] as one table, on a line of its own",
        ) from error


def _to_table(law: LatencyModel) -> dict[str, Any]:
    """The law as a profile's table, without what is as it would be anyway; with its interval."""
    defaults = {field.name: field.default for field in fields(law)}
    always = ("low", "high")
    return {key: value for key, value in asdict(law).items() if key in always or value != defaults[key]}


def _check_record(path: Path, record: Record, profile: Profile) -> Record:
    law = profile.latency
    if law.by == "vela":
        raise ProfileError(
            f"the latency of {profile.id} cannot be calibrated",
            why="it is the NPU's, which Vela counts",
            fix="calibrate the profile of the core alone, or rely on the measurement itself",
        )
    if record.on not in PLACES[profile.kind]:
        raise DataError(
            f"was measured with --on {record.on}, so not on {profile.id}",
            where=str(path),
            fix=f"measure with --on {' or '.join(PLACES[profile.kind])}",
        )
    if record.device != profile.id:
        raise DataError(
            f"was measured on {record.device}, not on {profile.id}",
            where=str(path),
            fix=f"measure with --device {profile.id}",
        )
    table = law.table if law.by == "instructions" else ""
    if record.table != table:
        raise DataError(
            f"was counted with the instruction table '{record.table}'",
            where=str(path),
            why=f"the profile's is '{table}'",
            fix="measure again",
        )
    if law.by == "work" and record.instructions and set(record.instructions) != {WORK_MS}:
        raise DataError(
            "was measured before the device's law was one of kinds of work",
            where=str(path),
            fix="measure again",
        )
    if not record.instructions or not sum(record.instructions.values()):
        raise DataError("holds no counts of the model's ops", where=str(path), fix="measure again")
    if record.runtime == ENGINE:
        raise DataError(
            f"was measured with {ENGINE}",
            where=str(path),
            why="the profile's law counts the instructions of TFLM's kernels",
            fix="measure a project of 'edgeprune firmware --runtime tflm'",
        )
    if record.golden is False:
        raise DataError(
            "the board computed other outputs than the golden ones",
            where=str(path),
            fix="mend the firmware before its time is trusted",
        )
    return record


def _constants(law: LatencyModel) -> Law:
    """A profile's law as the fit knows it; without one, a cycle per instruction to start from."""
    if law.by == "work":
        return Law(
            cycles_per_instruction=law.times,
            cycles_by_kind={},
            cycles_per_weight_byte=0.0,
            cycles_per_op=0.0,
        )
    if law.by == "macs":
        pace = law.ms_per_mac or 1.0
        return Law(
            cycles_per_instruction=pace,
            cycles_by_kind={},
            cycles_per_weight_byte=0.0,
            cycles_per_op=law.base_ms,
        )
    return Law(
        cycles_per_instruction=law.cycles_per_instruction or 1.0,
        cycles_by_kind=law.cycles_by_kind,
        cycles_per_weight_byte=law.cycles_per_weight_byte,
        cycles_per_op=law.cycles_per_op,
    )


def _rescale(law: Law, samples: Sequence[Sample]) -> Law:
    logs = [log(sample.cycles / law.estimate(sample)) for sample in samples]
    return law.times(exp(float(np.mean(logs))))


def _fit_own(samples: Sequence[Sample]) -> tuple[Law, list[float]] | None:
    """A law of these samples alone and what they took relative to it where it had not seen them.

    None where the samples disagree so much that some ops would take no time at all.
    """
    law = fit_law(samples)
    if min(law.cycles_per_instruction, *law.cycles_by_kind.values()) <= 0:
        return None
    try:
        return law, hold_out(samples)
    except ZeroDivisionError:
        return None


def _hold_out_scaled(law: Law, samples: Sequence[Sample]) -> list[float]:
    """Measured over estimated by the scaled law, each sample's architecture held out of the factor."""
    ratios = []
    for held in samples:
        seen = [sample for sample in samples if sample.architecture != held.architecture]
        ratios.append(held.cycles / _rescale(law, seen).estimate(held))
    return ratios


def _size(ratios: Sequence[float]) -> float:
    return sqrt(sum(log(ratio) ** 2 for ratio in ratios))


def _describe_source(records: Sequence[Record], method: str) -> str:
    places = " and ".join(sorted({record.on for record in records}))
    runtimes = (
        ", ".join(sorted({record.runtime for record in records if record.runtime})) or "unknown runtime"
    )
    names = sorted({record.file for record in records})
    rest = f" and {len(names) - _FILES_NAMED} more" if len(names) > _FILES_NAMED else ""
    files = ", ".join(names[:_FILES_NAMED]) + rest
    days = sorted(record.measured_at[:10] for record in records)
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return f"edgeprune bench on the {places}, {when}, {runtimes}: {files}; {method}"
