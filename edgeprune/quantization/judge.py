"""A file judged by the metrics of the model it came from, on LiteRT's dequantized outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.graph.layergraph import Array
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.evaluation import Evaluator


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """How good a file is.

    Attributes:
        metrics: every metric by its name.
        runtime: name and version of the LiteRT that ran it.
    """

    metrics: Mapping[str, float]
    runtime: str


def judge_file(tflite: bytes, evaluator: Evaluator) -> Judged:
    """Every metric of a file, over as many samples at a time as memory has room for.

    Args:
        tflite: the file.
        evaluator: samples and metrics.

    Raises:
        ToolError: LiteRT cannot be loaded, or failed.
    """
    runtime = ""

    def run(inputs: tuple[Array, ...]) -> Sequence[Array]:
        nonlocal runtime
        found = run_litert(tflite, as_real(tflite, inputs))
        runtime = found.runtime
        return [output.values for output in found.outputs]

    return Judged(metrics=evaluator.score_all(run), runtime=runtime)
