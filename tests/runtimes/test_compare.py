from dataclasses import dataclass

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.samples import Outputs


@dataclass
class Recorded:
    outputs: tuple[Outputs, ...]


def recorded(rows, dtype=np.int8, scale=0.5):
    return Recorded((Outputs(raw=np.array(rows, dtype), scale=scale, zero_point=0),))


def test_equal_runs_are_exact():
    agreement = compare_runs(recorded([[1, 2]]), recorded([[1, 2]]))
    assert agreement.is_exact
    assert (agreement.samples, agreement.elements, agreement.max_steps) == (1, 2, 0)


def test_differences_are_counted_in_steps_and_in_real_numbers():
    agreement = compare_runs(recorded([[127, 0], [5, 4]]), recorded([[-128, 0], [4, 5]]))
    assert not agreement.is_exact
    assert (agreement.differing, agreement.max_steps, agreement.max_difference) == (3, 255, 127.5)
    assert agreement.changed_top1 == 2


def test_nan_equals_nan_and_nothing_else():
    one = recorded([[np.nan, 1.0]], np.float32, 0.0)
    assert compare_runs(one, one).is_exact
    other = compare_runs(one, recorded([[0.0, 1.0]], np.float32, 0.0))
    assert (other.differing, other.max_difference) == (1, np.inf)


def test_runs_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="not of the same"):
        compare_runs(recorded([[1, 2]]), recorded([[1, 2, 3]]))


def test_a_float_output_made_of_integers_counts_in_their_steps() -> None:
    one, other = recorded([[0.0, 1.0]], np.float32, 0.0), recorded([[0.5, 1.0]], np.float32, 0.0)
    assert compare_runs(one, other).max_steps is None
    found = compare_runs(one, other, step_sizes=[0.25])
    assert (found.max_steps, found.max_fraction) == (2, 0.5)
