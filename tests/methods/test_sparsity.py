"""What zeros are worth, how they are asked for, and the sparse model itself."""

import numpy as np
import pytest

from edgeprune.device.profile import load_profile
from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.method import require_worth
from edgeprune.methods.sparsity import Zeroing, parse_zeroing, plan_zeros
from edgeprune.prune.masks import parse_pattern


@pytest.mark.parametrize(
    ("device", "mask", "flash", "latency"),
    [
        ("cortex-m7", "unstructured", True, False),
        ("cortex-m7", "4x1", True, False),
        ("cortex-m7", "2:4", False, False),
        ("cortex-m55-ethos-u55-128", "unstructured", True, False),
        ("pixel-6", "unstructured", False, False),
        ("pixel-6", "2:4", False, False),
    ],
)
def test_what_zeros_buy_depends_on_runtime_and_pattern(
    device: str, mask: str, flash: bool, latency: bool
) -> None:
    worth = backend_of(load_profile(device)).value_zeros(parse_pattern(mask))
    assert (worth.flash, worth.latency) == (flash, latency)
    assert device in worth.reason


def test_clusters_are_for_runtimes_with_tables_per_output() -> None:
    assert backend_of(load_profile("cortex-m7")).value_clusters().flash
    for device in ("cortex-m55-ethos-u55-128", "pixel-6"):
        worth = backend_of(load_profile(device)).value_clusters()
        assert not worth.useful
        assert device in worth.reason


def test_on_phones_zeros_are_for_floats() -> None:
    backend, pattern = backend_of(load_profile("pixel-6")), parse_pattern("unstructured")
    assert "float files" in backend.value_zeros(pattern).reason
    assert backend.value_zeros(pattern, scheme="none").latency
    assert not backend.value_zeros(parse_pattern("2:4"), scheme="none").useful


def test_zeros_without_gain_are_refused_unless_that_is_accepted() -> None:
    profile, zeros = load_profile("cortex-m7"), parse_zeroing({"mask": "2:4"})
    with pytest.raises(RecipeError, match="2:4 buys nothing on tflm on cortex-m7") as error:
        require_worth(zeros, profile, scheme="int8", accept_no_gain=False)
    assert "use --mask unstructured" in error.value.fix
    assert "--accept no-gain" in error.value.fix
    assert error.value.exit_code == 3
    assert not require_worth(zeros, profile, scheme="int8", accept_no_gain=True).useful


def test_n_of_m_settles_the_sparsity() -> None:
    assert parse_zeroing({"mask": "1:4"}).final_sparsity == 0.75
    assert parse_zeroing({"mask": "1:4", "final_sparsity": 0.5}).final_sparsity == 0.5


def test_without_a_sparsity_nothing_is_asked_for() -> None:
    with pytest.raises(RecipeError, match="how many weights become zero is not said"):
        parse_zeroing({"mask": "4x1", "final_sparsity": None})


def test_the_names_are_those_of_tfmot() -> None:
    asked = {"final_sparsity": 0.9, "initial_sparsity": 0.1, "begin_step": 5, "end_step": 50, "frequency": 9}
    planned = plan_zeros(parse_zeroing({**asked, "power": 1.0}), total_steps=60)
    course = planned.course
    assert {name: getattr(course, name) for name in asked} == asked
    assert course.power == 1.0
    assert max(course.update_steps()) == 50


def test_what_is_not_said_follows_from_the_length_of_training() -> None:
    course = plan_zeros(Zeroing(final_sparsity=0.5), total_steps=1000).course
    assert (course.begin_step, course.end_step, course.frequency) == (0, 350, 3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"end_step": 10}, "runs from step 0 to step 10"),
        ({"begin_step": 8, "end_step": 4}, "runs from step 8 to step 4"),
        ({"initial_sparsity": 0.9}, "sparsity goes from 0.9 to 0.8"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(asked: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        plan_zeros(parse_zeroing({"final_sparsity": 0.8, **asked}), total_steps=10)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        plan_zeros(Zeroing(final_sparsity=0.5, schedule="polynomial_decy"), total_steps=10)


def test_zeros_at_once_leave_the_original_alone() -> None:
    import keras

    from edgeprune.methods.sparsity import sparsify_at_once

    vector = keras.Input((8,))
    model = keras.Model(vector, keras.layers.Dense(5)(vector))
    before = np.asarray(model.layers[1].kernel).copy()
    sparse = sparsify_at_once(model, Zeroing(final_sparsity=0.5))
    after = np.asarray(sparse.model.layers[1].kernel)
    np.testing.assert_array_equal(before, np.asarray(model.layers[1].kernel))
    assert sparse.sparsity == 0.5
    assert np.count_nonzero(after) == 20
    np.testing.assert_array_equal(after[after != 0], before[after != 0])
    assert [row["zeros"] for row in sparse.to_json()] == [20]
