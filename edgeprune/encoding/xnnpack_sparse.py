"""Whether a float file for a phone is stored without its zeros: where XNNPACK's sparse kernels then take it.

The counterpart of `tflm_decode.py` for LiteRT. A file is stored so only if its graph has the pattern of the
sparse kernels, because XNNPACK computes wrong outputs for some graphs that have not; and if it is no slower,
measured here where this machine has these kernels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeprune.device.profile import Profile
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import Array
from edgeprune.runtimes.timing import Timing, explain_no_sparse_kernels, time_alternately
from edgeprune.tflite.model import NUMPY_TYPES, Model
from edgeprune.tflite.read import read_model
from edgeprune.tflite.sparse.encode import SparseCandidate, encode_sparsity, find_sparse_candidates
from edgeprune.tflite.sparse.pattern import Explained, explain_pattern
from edgeprune.units import format_quantity, format_ratio

DECODES = "xnnpack-sparse"
"""What a profile's `decodes` says where XNNPACK has sparse kernels."""

_RELATIVE_TOLERANCE = (
    1e-3  # sparse kernels add in another order; what goes wrong in XNNPACK goes wrong by far more
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseTensor:
    """Weights, and how they are stored.

    Attributes:
        tensor: its index in the main subgraph.
        name: its name, "" in a stripped file.
        ops: the ops that read it, for example "CONV_2D 3".
        sparsity: fraction of its elements that are zero; None where it was not looked at.
        before_bytes: its size as it is.
        after_bytes: its size without zeros; None where it cannot be stored so.
        encoded: whether it is.
        reason: why not, as a clause; "" where it is.
    """

    tensor: int
    name: str
    ops: tuple[str, ...]
    sparsity: float | None
    before_bytes: int
    after_bytes: int | None
    encoded: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseChoice:
    """The file to ship: stored without its zeros, or as it was.

    Attributes:
        tflite: its bytes.
        encoded: whether it is stored without its zeros.
        tensors: weights of convolutions and FULLY_CONNECTED.
        pattern: what XNNPACK makes of the graph.
        dense_bytes: size of the file as it was.
        sparse_bytes: size without its zeros; None where that was not made.
        dense, sparse: times on this machine, measured in turn; None where that was not made.
        unavailable: why `sparse` says nothing about sparse kernels, as a clause; "" where it does.
        sentences: what was decided, and why.
    """

    tflite: bytes
    encoded: bool = False
    tensors: tuple[SparseTensor, ...]
    pattern: Explained
    dense_bytes: int
    sparse_bytes: int | None = None
    dense: Timing | None = None
    sparse: Timing | None = None
    unavailable: str = ""
    sentences: tuple[str, ...]

    def with_names(self, names: Sequence[str]) -> "SparseChoice":
        """The same with the names of all tensors of the file it was made from, which stripping took away."""
        return replace(self, tensors=tuple(replace(row, name=names[row.tensor]) for row in self.tensors))

    def describe(self) -> list[str]:
        """What was decided, and why, in sentences."""
        return list(self.sentences)

    def to_json(self) -> dict[str, Any]:
        """The choice as a JSON object, without the bytes."""
        return {
            "encoded": sum(row.encoded for row in self.tensors),
            "tensors": [_to_json(row) for row in self.tensors],
            "pattern": _to_json(self.pattern),
            "dense_bytes": self.dense_bytes,
            "sparse_bytes": self.sparse_bytes,
            "dense": self.dense and _to_json(self.dense),
            "sparse": self.sparse and _to_json(self.sparse),
            "unavailable": self.unavailable,
            "sentences": list(self.sentences),
        }


def choose_sparse(tflite: bytes, *, profile: Profile, runs: int = 50) -> SparseChoice:
    """The file to ship to a device: without its zeros where XNNPACK's sparse kernels take it, else as it is.

    Args:
        tflite: a whole file of float32 weights with zeros.
        profile: the device; its runtime is LiteRT.
        runs: inferences of each file, for timing.

    Raises:
        ModelError: the file is damaged.
        ToolError: LiteRT is not installed, or failed.
    """
    model = read_model(tflite, where="the model")
    candidates = find_sparse_candidates(model)
    chosen = [each for each in candidates if each.sparse_bytes and each.sparse_bytes < each.dense_bytes]
    as_it_is = SparseChoice(
        tflite=tflite,
        tensors=tuple(_describe(model, each) for each in candidates),
        pattern=explain_pattern(model),
        dense_bytes=len(tflite),
        sentences=(),
    )
    if DECODES not in profile.runtime.decodes:
        sentence = f"{profile.runtime.name} on {profile.id} has no sparse kernels; its zeros buy nothing."
        return _refuse(as_it_is, sentence, clause="the device has no sparse kernels")
    if not as_it_is.pattern.holds:
        return _refuse(as_it_is, as_it_is.pattern.sentence, clause="sparse kernels cannot take this graph")
    encoded = encode_sparsity(tflite, tensors=[each.tensor for each in chosen])
    if len(encoded) >= len(tflite):
        return _refuse(as_it_is, "Without its zeros the file is no smaller.", clause="it saves nothing")
    difference = measure_difference(tflite, encoded=encoded)
    if not difference <= _RELATIVE_TOLERANCE:
        sentence = f"LiteRT on this machine computes something else without the zeros ({difference:.2g} off)."
        return _refuse(as_it_is, sentence, clause="outputs differ")
    dense, sparse = time_alternately([tflite, encoded], runs=runs)
    obstacle = explain_no_sparse_kernels(runtime=dense.runtime)
    timed = replace(as_it_is, sparse_bytes=len(encoded), dense=dense, sparse=sparse, unavailable=obstacle)
    if not obstacle and sparse.high_ms >= dense.low_ms:
        sentence = f"Sparse kernels are not faster here: {_describe_times(dense, sparse)}."
        return _refuse(timed, sentence, clause="sparse kernels are not faster")
    rows = tuple(replace(row, encoded=not row.reason) for row in timed.tensors)
    choice = replace(timed, tflite=encoded, encoded=True, tensors=rows)
    return replace(choice, sentences=tuple(_explain(choice, profile, dense=dense, sparse=sparse)))


def measure_difference(dense: bytes, *, encoded: bytes) -> float:
    """The largest difference of two files' outputs in LiteRT, as a fraction of the largest of the first's.

    Three random inputs are tried; the result is no number where an output is none.

    Raises:
        ToolError: LiteRT is not installed, or failed.
    """
    inputs = _make_samples(read_model(dense, where="the model"))
    before, after = (run_litert(file, inputs).outputs for file in (dense, encoded))
    found = [0.0]
    for one, other in zip(before, after, strict=True):
        scale = np.abs(one.values).max(initial=0.0) or 1.0
        found.append(np.abs(one.values - other.values).max(initial=0.0) / scale)
    return float(np.max(found))


def _refuse(choice: SparseChoice, sentence: str, *, clause: str) -> SparseChoice:
    rows = tuple(replace(row, reason=row.reason or clause) for row in choice.tensors)
    advice = "The file stays as it is; removing channels makes it smaller and faster (edgeprune build)."
    return replace(choice, tensors=rows, sentences=(sentence, advice))


def _describe(model: Model, each: SparseCandidate) -> SparseTensor:
    reason = each.obstacle
    if not reason and each.sparse_bytes is not None and each.sparse_bytes >= each.dense_bytes:
        reason = "without its zeros it takes no less"
    return SparseTensor(
        tensor=each.tensor,
        name=model.tensors[each.tensor].name,
        ops=tuple(f"{model.ops[op].name} {op}" for op in each.readers),
        sparsity=None if each.obstacle else each.zeros / max(model.tensors[each.tensor].elements, 1),
        before_bytes=each.dense_bytes,
        after_bytes=each.sparse_bytes,
        encoded=False,
        reason=reason,
    )


def _explain(choice: SparseChoice, profile: Profile, *, dense: Timing, sparse: Timing) -> list[str]:
    was, now = (format_quantity(size, "bytes") for size in (choice.dense_bytes, choice.sparse_bytes))
    count = sum(row.encoded for row in choice.tensors)
    lines = [
        choice.pattern.sentence,
        f"{count} of {len(choice.tensors)} weights are stored without their zeros: .tflite {was} → {now} "
        f"({format_ratio(choice.sparse_bytes, choice.dense_bytes)}); in memory they take what they took, and "
        "loading unpacks them.",
    ]
    times = _describe_times(dense, sparse)
    if choice.unavailable:
        lines += [
            f"How much faster it is on {profile.id} is unavailable here: {choice.unavailable} ({times}). Run "
            "this command on an ARM machine, or LiteRT's benchmark_model with both files on the device."
        ]
    else:
        lines += [f"Measured on this machine, not on {profile.id}: {times}."]
    if "dotprod" in profile.instructions:
        quarter = format_quantity(choice.dense_bytes / 4, "bytes")
        lines += [
            f"Compare it with the dense model in int8, of about {quarter}: with dot-product instructions, as "
            f"{profile.core} has them, two MobileNets took fewer instructions so than 80 % sparse in floats."
        ]
    elif profile.runtime.version.startswith("tflite-runtime 2.14"):
        lines += [
            f"tflite-runtime 2.14 takes sparse kernels only on cores with half-precision arithmetic, which "
            f"{profile.core} lacks: use ai-edge-litert there, or the file is smaller but no faster."
        ]
    return lines


def _describe_times(dense: Timing, sparse: Timing) -> str:
    ratio = format_ratio(sparse.median_ms, dense.median_ms)
    return (
        f"dense {dense.median_ms:.3g} ms, without zeros {sparse.median_ms:.3g} ms ({ratio}), "
        f"{dense.runtime}, {dense.machine}, {dense.threads} thread{'s' if dense.threads > 1 else ''}"
    )


def _make_samples(model: Model) -> tuple[Array, ...]:
    """Three samples for each input: random floats, or zeros where it takes integers."""
    generator = np.random.default_rng(0)
    samples: list[Array] = []
    for tensor in model.inputs:
        values = np.zeros((3, *tensor.shape[1:]), NUMPY_TYPES[tensor.dtype])
        if values.dtype.kind == "f":
            values[...] = generator.normal(size=values.shape)
        samples.append(values)
    return tuple(samples)


def _to_json(record: Any) -> dict[str, Any]:
    """A plain record as a JSON object."""
    values = {name: getattr(record, name) for name in record.__slots__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
