import pytest

from edgeprune.errors import UnknownNameError
from edgeprune.keras_bridge.training.schedules import fractions, make_schedule, sparsity_at
from edgeprune.prune.schedules import SCHEDULES, Course


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_polynomial_decay_is_one_minus_the_cube_of_what_is_left(steps: int) -> None:
    expected = [1 - (1 - k / steps) ** 3 for k in range(1, steps + 1)]
    assert fractions("polynomial_decay", steps=steps) == pytest.approx(expected, abs=1e-6)


def test_fractions_are_those_of_tfmot() -> None:
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

    theirs = PolynomialDecay(0.0, 1 - 1e-9, 0, 6, power=3, frequency=1)
    assert fractions("polynomial_decay", steps=6) == [
        min(1.0, sparsity_at(theirs, step)) for step in range(1, 7)
    ]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_every_schedule_rises_to_exactly_one(name: str, steps: int) -> None:
    found = fractions(name, steps=steps)
    assert len(found) == steps
    assert found == sorted(found)
    assert found[-1] == 1.0
    assert 0 < found[0] <= 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_exact_at_its_ends(name: str) -> None:
    schedule = make_schedule(name, Course(final_sparsity=0.75, end_step=10))
    assert sparsity_at(schedule, 10) == 0.75
    if name == "polynomial_decay":
        assert sparsity_at(schedule, 0) == 0.0


def test_constant_sparsity_asks_for_everything_at_once() -> None:
    assert fractions("constant_sparsity", steps=4) == [1.0] * 4


def test_a_misspelt_schedule_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="polynomial_decay"):
        fractions("polynomial", steps=3)
