"""`edgeprune agree`: the same inputs through LiteRT's reference kernels, XNNPACK, tflite-runtime and TFLM."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.config.build_options import DataSource
from edgeprune.errors import ModelError
from edgeprune.files import FileSource, name_file, read_file
from edgeprune.graph.layergraph import Array
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.runtimes.agreement import (
    Comparison,
    choose_sample_count,
    compare_runtimes,
    find_newer_litert,
)
from edgeprune.runtimes.compare import Agreement
from edgeprune.runtimes.golden import refuse_many
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.execution import executed_shapes
from edgeprune.tflite.model import NUMPY_TYPES, Model, Tensor
from edgeprune.tflite.read import read_model


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class AgreeResult(Summarized):
    """What `edgeprune agree` found.

    Attributes:
        file: the file that ran.
        comparison: every runtime against the reference.
        samples: how many inputs were compared.
        inputs: where they came from, a clause.
    """

    file: str
    comparison: Comparison
    samples: int
    inputs: str

    @property
    def ok(self) -> bool:
        """Whether TFLM, if it ran, agrees with reference kernels that round as it does."""
        row = self.comparison.tflm
        return row is None or row.ok or not self.comparison.decides

    @property
    def sentence(self) -> str:
        """The answer, and which runtime is the odd one out."""
        odd = self.comparison.odd
        if odd is None or odd.agreement is None:
            return self._judge_tflm()
        gap = _describe_gap(odd.agreement)
        return f"{self._judge_tflm()} The odd one out is {odd.runtime}: {gap} from the others."

    def _judge_tflm(self) -> str:
        row = self.comparison.tflm
        if row is None or row.agreement is None:
            reason = "" if row is None else f": {row.unavailable}"
            return f"TFLM was not compared{reason}."
        found = row.agreement
        if found.is_exact:
            return f"TFLM computes the same as {self.comparison.reference}, bit for bit."
        gap = _describe_gap(found)
        if row.ok:
            return f"TFLM agrees with {self.comparison.reference}: {gap} at most, which rounding explains."
        if not self.comparison.decides:
            told = f"TFLM is {gap} away from {self.comparison.reference}, which round otherwise"
            if self.comparison.odd is not None:
                return f"{told}; no runtime here rounds as TFLM does, so whether TFLM is at fault stays open."
            return (
                f"{told}; whether TFLM is at fault only tflite-runtime 2.14 can tell ('edgeprune doctor' "
                "says how to get it)."
            )
        return (
            f"TFLM does not agree with {self.comparison.reference}: {gap} in {found.differing} of "
            f"{found.elements} output elements, and {found.changed_top1} of {found.samples} answers change; "
            "accuracy measured in LiteRT does not hold on the device."
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `agree --json`."""
        return {
            "schema": 1,
            "file": self.file,
            "samples": self.samples,
            "inputs": self.inputs,
            "reference": self.comparison.reference,
            "runtimes": [row.to_json() for row in self.comparison.rows],
            "ok": self.ok,
            "sentence": self.sentence,
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(self.sentence)


def _describe_gap(found: Agreement) -> str:
    if found.max_steps is None:
        return f"{found.max_fraction:.1e} of the output's range"
    return f"{found.max_steps} quantization step{'' if found.max_steps == 1 else 's'}"


def compare_file(
    file: FileSource, *, data: DataSource | None = None, samples: int | None = None, seed: int = 0
) -> AgreeResult:
    """Runs a file in every runtime there is here.

    Args:
        file: the path of a `.tflite` file, or its bytes.
        data: what `load_data` takes, the test part first; None for random inputs.
        samples: how many inputs; by default as many as reference kernels compute in seconds, 100 at most.
        seed: of random inputs, and of which samples are taken.

    Raises:
        ModelError: the file cannot be used.
        DataError: the data do not fit it.
        OpError: LiteRT has no kernel for one of its ops.
        ToolError: LiteRT is missing, or failed.
    """
    tflite, where = read_file(file), name_file(file)
    model = read_model(tflite, where=where)
    count = samples or choose_sample_count(sum(op.macs * (op.turns or 1) for op in executed_shapes(model)))
    if data is None:
        refuse_many(model, samples=count)
        inputs = tuple(
            draw_input(tensor, count, batch=model.batch, seed=seed + place)
            for place, tensor in enumerate(model.inputs)
        )
        origin = f"random, seed {seed}" if inputs else "it takes none"
    else:
        inputs, origin = _read_inputs(model, data, count, seed=seed)
        inputs = as_real(tflite, inputs)
    if model.has_resources:
        origin += ", as one sequence"
    return AgreeResult(
        file=where,
        comparison=compare_runtimes(tflite, inputs, newer=find_newer_litert()),
        samples=len(inputs[0]) if inputs else 1,
        inputs=origin,
    )


def draw_input(tensor: Tensor, count: int, *, batch: int, seed: int) -> Array:
    """Random values of the tensor's own type, (count, ...): integers over their range, floats around 0.

    Where the model has a batch, a sample lacks the first dimension.
    """
    if tensor.dtype not in NUMPY_TYPES:
        raise ModelError(
            f"inputs of type {tensor.dtype} cannot be drawn", where=tensor.name, fix="pass --data"
        )
    rng = np.random.default_rng([seed, 13])
    dtype, shape = np.dtype(NUMPY_TYPES[tensor.dtype]), (count, *tensor.shape[bool(batch) :])
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu" and tensor.scales.size:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=dtype)
    if dtype.kind in "iu":  # numbers of words, most likely; how many there are is not in the file
        return np.zeros(shape, dtype)
    return rng.standard_normal(shape).astype(dtype)


def _read_inputs(model: Model, source: DataSource, count: int, *, seed: int) -> tuple[tuple[Array, ...], str]:
    from edgeprune.keras_bridge.data.dataset import load_data
    from edgeprune.keras_bridge.data.parts import interface_of_file

    data = load_data(source, interface=interface_of_file(model), seed=seed)
    part, x = "test" if data.has_test else "validation", data.take_test(count).x
    rows = np.sort(np.random.default_rng([seed, 13]).permutation(len(x[0]))[:count])
    return tuple(array[rows] for array in x), f"{part} samples of {data.source}, seed {seed}"
