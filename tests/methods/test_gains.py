"""Recovery goes on while it gains, and then ends with a falling learning rate."""

from edgeprune.methods.gains import LEAST_ROUNDS, PATIENCE, Gains, round_steps


def drop(before: float, after: float) -> float:
    return before - after


def follow(scores: list[float]) -> Gains:
    gains = Gains()
    for score in scores:
        gains = gains.after(10, score=score, drop=drop)
    return gains


def test_rounds_that_gain_go_on() -> None:
    rising = [0.5 + 0.01 * i for i in range(20)]
    assert not follow(rising).are_over
    assert follow(rising).best == rising[-1]


def test_rounds_without_a_gain_end_it_after_some_patience() -> None:
    scores = [0.5, 0.6, 0.7]
    assert not follow([*scores, *[0.7] * (PATIENCE - 1)]).are_over
    assert follow([*scores, *[0.7] * PATIENCE]).are_over


def test_a_tenth_of_a_point_is_no_gain_and_a_relapse_is_forgiven() -> None:
    assert follow([0.7, 0.7005, 0.7009, 0.7004]).are_over
    assert not follow([0.7, 0.6, 0.6, 0.71]).are_over


def test_the_first_rounds_are_never_the_last() -> None:
    assert not follow([0.7] * (LEAST_ROUNDS - 1)).are_over


def test_the_rate_falls_for_half_as_long_as_it_stayed_up() -> None:
    ends = follow([0.5] * 8).fall(200, least=10)
    assert (ends.falls_from, ends.falls_for) == (200, 40)
    assert follow([0.5]).fall(200, least=10).falls_for == 10


def test_a_round_of_a_small_set_is_several_epochs() -> None:
    assert [round_steps(n) for n in (2, 30, 99, 500)] == [8, 100, 100, 500]


def test_gains_survive_a_work_directory() -> None:
    gains = follow([0.5, 0.6]).fall(30, least=5)
    assert Gains(**gains.to_json()) == gains
