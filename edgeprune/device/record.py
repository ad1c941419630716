"""Records of measurements: what `edgeprune bench` writes and `edgeprune devices calibrate` reads.

A record holds what the fit needs to know of the model, so that the model need not be kept beside it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Literal

from edgeprune.config.tables import TableError, parse_table, ruled
from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.latency import PACES
from edgeprune.device.paces import time_ops
from edgeprune.device.profile import Profile, core_groups
from edgeprune.device.samples import Sample, describe_sample
from edgeprune.errors import DataError
from edgeprune.files import refuse_special
from edgeprune.graph.opshape import OpShape

WORK_MS = "work_ms"
"""What a law by work says, in milliseconds: the count that a measurement scales it by."""

SCHEMA = 1
ENGINE = "edgeprune's C engine"
"""What the check of a project that the C engine made calls its runtime."""

Place = Literal["board", "host", "adb"]
"""Where `edgeprune bench` measures: at a serial port, on this machine, on a phone."""
PLACES: Mapping[str, tuple[Place, ...]] = {"mcu": ("board",), "phone": ("adb",), "sbc": ("host", "adb")}
"""Where each kind of device can be measured; anywhere else it is the time of another machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One measured model on one device.

    Attributes:
        schema: version of this format.
        file: name of the model's file.
        sha256: of its bytes.
        device: id of the profile.
        on: "board", "host" or "adb".
        runtime: name and version of what executed it, as far as it is known.
        latency_ms: of one inference; the median of the runs, with adb their mean.
        low_ms, high_ms: quartiles of the runs, with adb their least and most.
        runs: how many there were.
        threads: of the runtime; 0 where there are none.
        clock_mhz: of the core while it ran; the profile's unless it was given.
        arena_bytes: what the runtime used, None where it does not say.
        golden: whether the outputs were those of the golden samples, None where there were none.
        table: the instruction table that `instructions` was counted with; "" where there is none.
        instructions: instructions by kind of op, or with the table "" the multiply-accumulates as "macs".
        weight_bytes: of all ops.
        ops: how many there are.
        measured_at: date and time, ISO 8601.
    """

    schema: int = SCHEMA
    file: str
    sha256: str
    device: str
    on: Place
    runtime: str
    latency_ms: float = ruled(low=1e-6, high=1e9)
    low_ms: float = ruled(low=1e-6, high=1e9)
    high_ms: float = ruled(low=1e-6, high=1e9)
    runs: int = ruled(low=1)
    threads: int = ruled(low=0, default=0)
    clock_mhz: float = ruled(above=0, high=1e5)
    arena_bytes: int | None = None
    golden: bool | None = None
    table: str = ""
    instructions: Mapping[str, float] = field(default_factory=dict)
    weight_bytes: float = ruled(low=0, default=0.0)
    ops: int = ruled(low=0, default=0)
    measured_at: str

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def to_sample(self) -> Sample:
        """What a fit needs: cycles of the core, or milliseconds for a law by multiply-accumulates."""
        return Sample(
            model=self.file,
            architecture=self.sha256,
            instructions=self.instructions,
            weight_bytes=self.weight_bytes,
            ops=self.ops,
            cycles=self.latency_ms * self.clock_mhz * 1e3 if self.table else self.latency_ms,
        )


def describe_ops(ops: Sequence[OpShape], profile: Profile) -> dict[str, object]:
    """The part of a record that describes the model: what the profile's law counts."""
    law = profile.latency
    if law.by == "instructions":
        sample = describe_sample(ops, load_instruction_table(law.table), cycles=0.0, model="", law=law)
        return {
            "table": law.table,
            "instructions": dict(sample.instructions),
            "weight_bytes": sample.weight_bytes,
            "ops": sample.ops,
        }
    if law.by == "work":
        timing = time_ops(ops, core_groups(profile), law.cores)
        return {"instructions": {WORK_MS: timing.ms}, "ops": 1}
    return {"instructions": {"macs": float(sum(op.macs for op in ops))}, "ops": 1}


def _find_faults(record: Record) -> Iterator[TableError]:
    """What contradicts itself in a record."""
    if not record.low_ms <= record.latency_ms <= record.high_ms:
        problem = f"is {record.latency_ms:g}, outside low_ms and high_ms"
        yield TableError(key="latency_ms", problem=problem)
    for kind, count in record.instructions.items():
        key = f"instructions.{kind}"
        if kind not in (*PACES, "macs", WORK_MS):
            known = ", ".join((*PACES, "macs", WORK_MS))
            yield TableError(key=key, problem=f"is not a kind of op; known: {known}")
        elif not (isfinite(count) and count >= 0):
            yield TableError(key=key, problem=f"is {count:g}; it takes a number at least 0")


def read_record(path: Path) -> Record:
    """A record's file.

    Raises:
        DataError: it cannot be read, or is no record; all that is wrong is reported together.
    """
    refuse_special(path, DataError)
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(
            "the record cannot be read",
            where=str(path),
            why=error.strerror or str(error),
            fix="check the path",
        ) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or absurdly deep
        raise DataError(
            "is no record of edgeprune bench", where=str(path), why=str(error), fix="measure again"
        ) from error
    if not isinstance(document, dict):
        raise DataError("is no record of edgeprune bench", where=str(path), fix="measure again")
    known = {key: value for key, value in document.items() if value is not None}
    record, errors = parse_table(known, Record)
    errors = errors if record is None else list(_find_faults(record))
    if record is None or errors:
        raise DataError(
            "; ".join(map(str, errors)), where=str(path), fix="measure again with edgeprune bench"
        )
    if record.schema != SCHEMA:
        raise DataError(
            f"the record's schema is {record.schema}", where=str(path), why=f"this edgeprune reads {SCHEMA}"
        )
    return record
