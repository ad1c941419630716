"""Constants of a latency law from measured latencies.

Cycles are fitted to instructions by kind of op, bytes of weights and numbers of ops. With the few models
that boards are measured with, each kind cannot have a pace of its own: a kind's pace is drawn to the one
they share, and leaves it as far as the measurements insist. The error that is reported, and the interval
made of it, come from models whose architecture the fit has not seen.
"""

from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np
from scipy.optimize import nnls
from scipy.special import stdtrit  # scipy.stats has it, too, and takes a second to import

from edgeprune.device.samples import Law, Sample, count_architectures

_KINDS_DIFFER = 0.3
"""How far paces of kinds stray from the one they share, relative to it. On eight sets of published int8
latencies, 0.3 gave the smallest errors of 0.02, 0.1, 0.3, 1 and 3 for unseen models."""
_EXP_DIFFERS = 1.0
"""The same of floats' exp(), whose instructions are the C library's and not the ones that were counted."""
_MODELS_ERR = 0.1
"""The error a fitted law is expected to have, against which straying counts."""
_CONFIDENCE = 0.9


def fit_law(samples: Sequence[Sample]) -> Law:
    """The law of least relative error, kinds drawn together; with fewer than three architectures one pace.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("a law cannot be fitted to no samples")
    totals = np.array([sum(sample.instructions.values()) for sample in samples])
    cycles = np.array([sample.cycles for sample in samples])
    shared = float(np.median(cycles / totals))
    if count_architectures(samples) < 3:
        pace = exp(float(np.mean(np.log(cycles / totals))))
        return Law(
            cycles_per_instruction=pace, cycles_by_kind={}, cycles_per_weight_byte=0.0, cycles_per_op=0.0
        )
    kinds = sorted({kind for sample in samples for kind, count in sample.instructions.items() if count})
    rows = [
        [
            0.0,
            *(sample.instructions.get(kind, 0.0) for kind in kinds),
            sample.weight_bytes,
            float(sample.ops),
        ]
        for sample in samples
    ]
    fitted = np.array(rows) / cycles[:, None]
    drawn = np.zeros((len(kinds), fitted.shape[1]))
    for index, kind in enumerate(kinds):
        strays = _EXP_DIFFERS if kind == "float32_exp" else _KINDS_DIFFER
        drawn[index, 0], drawn[index, 1 + index] = -1 / strays, 1 / strays
    drawn *= _MODELS_ERR / shared
    system = np.vstack([fitted, drawn])
    wanted = np.concatenate([np.ones(len(samples)), np.zeros(len(kinds))])
    # Columns of like size, so that the solver's tolerance means the same for all.
    scale = np.abs(system).max(axis=0)
    scale[scale == 0] = 1.0
    solution = nnls(system / scale, wanted, maxiter=10_000)[0] / scale
    return Law(
        cycles_per_instruction=float(solution[0]),
        cycles_by_kind={kind: float(pace) for kind, pace in zip(kinds, solution[1:-2], strict=True)},
        cycles_per_weight_byte=float(solution[-2]),
        cycles_per_op=float(solution[-1]),
    )


def hold_out(samples: Sequence[Sample]) -> list[float]:
    """Measured over estimated cycles of each sample, by a fit that has not seen its architecture.

    Raises:
        ValueError: all samples are of one architecture.
    """
    ratios = []
    for held in samples:
        seen = [sample for sample in samples if sample.architecture != held.architecture]
        ratios.append(held.cycles / fit_law(seen).estimate(held))
    return ratios


def interval_of(ratios: Sequence[float], *, independent: int) -> tuple[float, float]:
    """Where the next model's measured over estimated latency lies in nine of ten cases.

    Student's t on the logarithms about 0, so that few samples give a wide interval and a bias counts.

    Args:
        ratios: measured over estimated, each of a model the estimate's law had not seen.
        independent: how many of them do not follow from one another: architectures, or boards; at least two.
    """
    logs = [log(ratio) for ratio in ratios]
    size = sqrt(sum(value * value for value in logs) / len(logs))
    reach = float(stdtrit(independent - 1, (1 + _CONFIDENCE) / 2)) * size * sqrt(1 + 1 / independent)
    return exp(-reach), exp(reach)


def coverage_of(samples: Sequence[Sample], ratios: Sequence[float]) -> float:
    """How many of the samples lie in the interval that all other architectures give: 0 to 1."""
    inside = 0
    for held, ratio in zip(samples, ratios, strict=True):
        others = [
            (s.architecture, r)
            for s, r in zip(samples, ratios, strict=True)
            if s.architecture != held.architecture
        ]
        low, high = interval_of([r for _, r in others], independent=len({name for name, _ in others}))
        inside += low <= ratio <= high
    return inside / len(samples)
