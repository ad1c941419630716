"""Which constants of a file for TFLM are stored encoded: those that make it smaller, as the budgets allow.

What an encoding saves is measured on the whole file, so that headers and records count. What it costs is the
arena, where each decoded tensor lives while its op runs, and instructions. Tensors are taken in the order of
bytes saved per byte of arena, as long as the budgets hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from edgeprune.device.arena import predict_arena, read_arena_inputs
from edgeprune.device.estimate import arena_kernels, estimate_linked
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile
from edgeprune.encoding.choices import Compressed, TensorChoice
from edgeprune.tflite.compress import (
    Candidate,
    encode,
    encode_tensor,
    find_candidates,
    find_fixed_numbering,
)
from edgeprune.tflite.decode.wire import Constant, read_constant
from edgeprune.tflite.execution import executed_shapes
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model
from edgeprune.units import format_quantity

DECODES = "tflm-prune"
"""What a profile's `decodes` says where TFLM has the DECODE op."""

_LIMITED = {"ram_bytes": ("ram", "RAM"), "latency_ms": ("latency", "latency")}
"""Figures that an encoding makes larger: their budget, and what people call them."""


def choose_encodings(
    tflite: bytes,
    *,
    profile: Profile,
    limits: Mapping[str, float],
    before: Mapping[str, Figure],
    measure: Callable[[bytes], Mapping[str, Figure]],
) -> Compressed:
    """The file with those constants encoded that make it smaller, within the budgets of RAM and latency.

    RAM that is over its budget before does not grow. A latency over its budget before is no reason to leave
    anything out: it would be missed all the same. Where all encodings together save less than the code of the
    DECODE op takes, nothing is encoded.

    Args:
        tflite: a whole file, stripped.
        profile: the device; its TFLM has the DECODE op.
        limits: what is allowed, by "ram" and "latency"; nothing else is looked at.
        before: figures of the file on the device.
        measure: gives those of another.

    Raises:
        ModelError: the file is damaged.
    """
    model = read_model(tflite, where="the model")
    if (fixed := find_fixed_numbering(model)) is not None:
        return _unchanged(tflite, before, note=f"Nothing is encoded: {fixed}.")
    trial = _Trial(tflite, model, before=before, profile=profile, limits=limits)
    rows = [trial.examine(candidate) for candidate in find_candidates(model)]
    left = [row for row in rows if row.reason]
    chosen: list[TensorChoice] = []
    for row in sorted((row for row in rows if not row.reason), key=_worth, reverse=True):
        weighed = trial.add(row)
        (left if weighed.reason else chosen).append(weighed)
    # So far the arena was predicted. The real allocator has the last word; what was worth least goes first.
    while chosen:
        packed = trial.pack(chosen)
        if outweighed := trial.compare_flash(packed):
            left += [replace(row, reason=outweighed) for row in chosen]
            break
        after = measure(packed)
        if not (broken := trial.find_broken(after)):
            encoded = [replace(row, encoded=True) for row in chosen]
            return Compressed(tflite=packed, tensors=_sort(encoded + left), before=before, after=after)
        left.append(replace(chosen.pop(), reason=broken))
    return _unchanged(tflite, before, rows=left, note=_explain(left))


class _Trial:
    """A file, and what it would cost with more and more of its constants encoded."""

    def __init__(
        self,
        tflite: bytes,
        model: Model,
        *,
        before: Mapping[str, Figure],
        profile: Profile,
        limits: Mapping[str, float],
    ) -> None:
        self.tflite, self.model, self.before, self.profile = tflite, model, before, profile
        self.plain_arena = self._arena(self.model)
        self.limits = _find_limits(before, limits)
        self.chosen: list[TensorChoice] = []
        self.packed, self.figures = tflite, before

    def examine(self, candidate: Candidate) -> TensorChoice:
        """The candidate with its best encoding, or with the reason why there is none."""
        tensor = self.model.tensors[candidate.tensors[0]]
        row = TensorChoice(
            tensors=candidate.tensors,
            name=tensor.name,
            ops=tuple(f"{self.model.ops[op].name} {op}" for op in candidate.readers),
            dtype=tensor.dtype,
            before_bytes=tensor.bytes,
            reason=candidate.obstacle,
        )
        if row.reason:
            return row
        row = replace(row, sparsity=_measure_sparsity(read_constant(tensor)))
        made = [encode_tensor(self.model, index) for index in candidate.tensors]
        sizes = {
            encoding: sum(each[encoding].bytes for each in made)
            for encoding in made[0]
            if all(encoding in each for each in made)
        }
        if not sizes:
            return replace(row, reason="no encoding can hold it")
        encoding = min(sizes, key=lambda name: sizes[name])
        row = replace(row, encoding=encoding, after_bytes=sizes[encoding])
        if sizes[encoding] >= tensor.bytes:
            return replace(row, reason="encoded, it takes no less")
        alone = self._arena(read_model(self.pack([row]), where="a trial"))
        return replace(row, arena_bytes=round(alone - self.plain_arena))

    def add(self, row: TensorChoice) -> TensorChoice:
        """The row with what adding it brings and costs; unless that leaves it a reason, it is chosen."""
        packed = self.pack([*self.chosen, row])
        figures = self._predict(packed)
        row = replace(
            row,
            file_bytes=len(self.packed) - len(packed),
            arena_bytes=_subtract(figures["arena_bytes"], self.figures["arena_bytes"]),
            instructions=_subtract(figures["instructions"], self.figures["instructions"]),
        )
        if len(packed) >= len(self.packed):
            return replace(row, reason="its header and records take what it saves")
        if broken := self.find_broken(figures):
            return replace(row, reason=broken)
        self.chosen.append(row)
        self.packed, self.figures = packed, figures
        return row

    def find_broken(self, figures: Mapping[str, Figure]) -> str:
        """Which budget the figures break, as a clause; "" if none."""
        for name, limit in self.limits.items():
            figure = figures[name]
            if figure.value is not None and figure.value > limit:
                value, allowed = (format_quantity(each, figure.unit) for each in (figure.value, limit))
                return f"it would take {_LIMITED[name][1]} to {value}, over {allowed}"
        return ""

    def compare_flash(self, packed: bytes) -> str:
        """Why all that a file has encoded together saves no flash, as a clause; "" if it does."""
        was, now = self.before["flash_bytes"].value, self._predict(packed)["flash_bytes"].value
        if was is None or now is None or now < was:
            return ""
        saved = len(self.tflite) - len(packed)
        code = now - was + saved
        return f"all encodings together save {saved} bytes, and the DECODE op's code takes {code:.0f}"

    def pack(self, rows: list[TensorChoice]) -> bytes:
        """The file with these rows encoded."""
        tensors = {index: row.encoding for row in rows for index in row.tensors if row.encoding}
        return encode(self.tflite, tensors=tensors)

    def _arena(self, model: Model) -> float:
        return predict_arena(read_arena_inputs(model), arena_kernels(self.profile)).value or 0.0

    def _predict(self, packed: bytes) -> Mapping[str, Figure]:
        model = read_model(packed, where="a trial")
        arena = self.before["arena_bytes"]
        if arena.value is not None:
            arena = replace(arena, value=arena.value + self._arena(model) - self.plain_arena)
        ops = executed_shapes(model)
        return estimate_linked(ops, tflite_bytes=len(packed), arena=arena, profile=self.profile)


def _find_limits(before: Mapping[str, Figure], asked: Mapping[str, float]) -> dict[str, float]:
    """Figure → what it must not exceed."""
    limits = {}
    for figure, (budget, _) in _LIMITED.items():
        value = before[figure].value or 0.0
        if budget in asked and (budget == "ram" or value <= asked[budget]):
            limits[figure] = max(asked[budget], value)
    return limits


def _measure_sparsity(constant: Constant) -> float:
    zeros = constant.zero_points.astype(constant.bits.dtype)[:, None]
    return float(np.mean(constant.by_channel() == zeros))


def _worth(row: TensorChoice) -> tuple[float, int]:
    """Bytes saved for a byte of the arena, then bytes saved."""
    saved = row.before_bytes - (row.after_bytes or row.before_bytes)
    return saved / max(row.arena_bytes or 0, 1), saved


def _unchanged(
    tflite: bytes, before: Mapping[str, Figure], *, rows: list[TensorChoice] | None = None, note: str
) -> Compressed:
    return Compressed(tflite=tflite, tensors=_sort(rows or []), before=before, after=before, note=note)


def _sort(rows: list[TensorChoice]) -> tuple[TensorChoice, ...]:
    return tuple(sorted(rows, key=lambda row: row.tensors))


def _explain(left: list[TensorChoice]) -> str:
    if not left:
        return "Nothing is worth encoding: no op reads weights that TFLM could unpack."
    missed = [row for row in left if row.is_missed]
    if not missed:
        return (
            "Nothing is worth encoding: no constant is large enough, with enough zeros or few enough values."
        )
    return "Nothing is encoded: what would make the file smaller breaks a budget, or is too little."


def _subtract(after: Figure, before: Figure) -> int | None:
    if after.value is None or before.value is None:
        return None
    return round(after.value - before.value)
