"""Records of measurements: what `edgeprune bench` writes and `edgeprune devices calibrate` reads.

A record holds what the fit needs to know of the model, so that the model need not be kept beside it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edgeprune.device.fitting import Sample, describe_sample
from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.profile import Profile
from edgeprune.errors import DataError
from edgeprune.graph.opshape import OpShape
from edgeprune.tables import parse_table, ruled

SCHEMA = 1
ENGINE = "edgeprune's C engine"
"""What the check of a project that the C engine made calls its runtime."""


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
        latency_ms: of one inference; the median of the runs.
        low_ms, high_ms: quartiles of the runs.
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
    on: str
    runtime: str
    latency_ms: float = ruled(above=0)
    low_ms: float = ruled(above=0)
    high_ms: float = ruled(above=0)
    runs: int = ruled(low=1)
    threads: int = ruled(low=0, default=0)
    clock_mhz: float = ruled(above=0)
    arena_bytes: int | None = None
    golden: bool | None = None
    table: str = ""
    instructions: Mapping[str, float] = field(default_factory=dict)
    weight_bytes: float = 0.0
    ops: int = 0
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
    return {"instructions": {"macs": float(sum(op.macs for op in ops))}, "ops": 1}


def read_record(path: Path) -> Record:
    """A record's file.

    Raises:
        DataError: it cannot be read, or is no record; all that is wrong is reported together.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            "the record cannot be read",
            where=str(path),
            why=error.strerror or str(error),
            fix="check the path",
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            "is no record of edgeprune bench", where=str(path), why=str(error), fix="measure again"
        ) from error
    if not isinstance(document, dict):
        raise DataError("is no record of edgeprune bench", where=str(path), fix="measure again")
    known = {key: value for key, value in document.items() if value is not None}
    record, errors = parse_table(known, Record)
    if record is None:
        raise DataError(
            "; ".join(map(str, errors)), where=str(path), fix="measure again with edgeprune bench"
        )
    if record.schema != SCHEMA:
        raise DataError(
            f"the record's schema is {record.schema}", where=str(path), why=f"this edgeprune reads {SCHEMA}"
        )
    return record
