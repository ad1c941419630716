"""A backend in one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.op_costs import stored_bytes
from edgeprune.device.profile import find_profile
from edgeprune.measuring.defaults import DefaultBackend, read_ops
from edgeprune.measuring.records import Measured, Refusal
from edgeprune.measuring.refusals import list_reasons

_OPS = ("ADD", "CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX")


@dataclass(frozen=True, kw_only=True, slots=True)
class Toy(DefaultBackend):
    """A runtime of few ops: ten bytes of flash for every byte of the file, and one of RAM."""

    runtime: ClassVar[str] = "toy"
    label: ClassVar[str] = "the toy"

    def refuse(self, model):
        """All but its own ops."""
        other = tuple(f"{op.name}: toys do not know it" for op in model.ops if op.name not in _OPS)
        return Refusal(reasons=other) if other else None

    def op_costs(self):
        """Flash for weights, ten for one as well."""
        return {"flash": lambda op: 10 * stored_bytes(op)}

    def measure(self, file, *, where="the model"):
        """By the size of the file."""
        model, ops = read_ops(file, where=where)

        def count(size, unit="bytes"):
            return Figure(value=float(size), unit=unit, source="estimated", evidence="as toys are")

        figures = {
            "tflite_bytes": count(len(file)),
            "flash_bytes": count(10 * len(file)),
            "arena_bytes": count(0),
            "ram_bytes": count(len(file)),
            "instructions": unavailable("instructions", "toys do not count"),
            "latency_ms": count(len(ops), "ms"),
        }
        return Measured(model=model, ops=ops, figures=figures, unsupported=list_reasons(self.refuse(model)))


def write_profile(path: Path) -> str:
    """A profile that names the toy, with that file's name as its id."""
    text = find_profile("cortex-m7").read_text("utf-8").replace('name = "tflm"', 'name = "toy"')
    text = text.replace('decodes = ["tflm-prune"]', "decodes = []")
    path.write_text(text.replace('id = "cortex-m7"', f'id = "{path.stem}"'), "utf-8")
    return str(path)
