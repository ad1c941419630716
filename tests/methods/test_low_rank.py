"""Which ranks are offered, proposed and refused. Factorised builds: e2e/test_low_rank.py."""

import json
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.device.op_costs import stored_bytes
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.methods.low_rank import (
    MOST_LOST,
    LowRank,
    LowRankMethod,
    factorise_model,
    pick_ranks,
    propose_ranks,
)
from edgeprune.methods.method import read_setting, write_setting
from edgeprune.prune.limits import Limits


def make_model(*, rank: int = 6) -> keras.Model:
    """Two wide layers, of which the first has this rank."""
    keras.utils.set_random_seed(0)
    vector = keras.Input((64,))
    first = layers.Dense(64, activation="relu", name="first")
    model = keras.Model(vector, layers.Dense(32, name="second")(first(vector)))
    rng = np.random.default_rng(0)
    first.set_weights([rng.normal(size=(64, rank)) @ rng.normal(size=(rank, 64)), np.zeros(64)])
    return model


def ask(model: keras.Model, *, budget: float = 4000.0, **changes: Any) -> Any:
    """What a build would ask; a file is as large as its weights."""
    pricing = SimpleNamespace(
        per_op={"flash": stored_bytes},
        price=lambda priced, budgets: {"flash": float(priced.count_params())},
    )
    asked = {
        "start": SimpleNamespace(model=model, cost={"flash": float(model.count_params())}),
        "budgets": {"flash": budget},
        "limits": Limits(round_to=4),
        "pricing": pricing,
        "low_rank": None,
        "source": None,
        "seed": 0,
    }
    return SimpleNamespace(**{**asked, **changes})


def test_settings_go_from_mild_to_strong_in_the_steps_of_the_device() -> None:
    settings = LowRankMethod().settings(ask(make_model()))
    sizes = [LowRankMethod().preview(make_model(), setting).count_params() for setting in settings]
    assert sizes == sorted(sizes, reverse=True)
    assert len(settings) > 3
    assert all(rank % 4 == 0 for setting in settings for ranks in setting.ranks.values() for rank in ranks)
    assert settings[0].ranks.keys() == {"first"}, "what has a low rank goes first"
    assert settings[0].lost < 0.01


def test_the_mildest_ranks_that_keep_to_the_budget_are_proposed() -> None:
    model = make_model()
    (proposed,) = propose_ranks(ask(model, budget=3500.0), over=["flash"])
    assert proposed.ranks == {"first": (8,)}
    assert LowRankMethod().preview(model, proposed).count_params() == 2 * 64 * 8 + 64 + 64 * 32 + 32


def test_ranks_that_cost_too_much_of_the_outputs_are_not_tried() -> None:
    full = make_model(rank=64)
    settings = LowRankMethod().settings(ask(full))
    assert settings[-1].lost > MOST_LOST
    least = LowRankMethod().preview(full, settings[-1]).count_params()
    assert propose_ranks(ask(full, budget=float(least)), over=["flash"]) == []


def test_nothing_is_proposed_where_that_was_said_or_nothing_it_saves_is_exceeded() -> None:
    model = make_model()
    assert propose_ranks(ask(model, low_rank=1), over=["flash"]) == []
    assert propose_ranks(ask(model), over=["ram"]) == []
    assert propose_ranks(ask(model, limits=Limits(round_to=4, keep=("*",))), over=["flash"]) == []


def test_a_share_that_is_asked_for_is_kept_to_or_refused() -> None:
    asked = ask(make_model())
    ranks = pick_ranks(asked, share=0.6)
    kept = LowRankMethod().preview(make_model(), ranks).count_params()
    assert kept <= 0.62 * make_model().count_params()
    with pytest.raises(RecipeError, match=r"low_rank is 0\.01") as error:
        pick_ranks(asked, share=0.01)
    assert "of what layers cost" in error.value.why
    nothing = ask(keras.Sequential([keras.Input((4, 4, 2)), layers.DepthwiseConv2D(3)]))
    with pytest.raises(RecipeError, match="low_rank"):
        pick_ranks(nothing, share=0.5)


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(InfeasibleError, match="'third' cannot be factorised"):
        factorise_model(make_model(), LowRank(ranks={"third": (4,)}), source=None, seed=0)


def test_ranks_survive_an_interruption() -> None:
    ranks = LowRank(ranks={"first": (8,), "conv": (4, 8)}, lost=0.25)
    assert read_setting(json.loads(json.dumps(write_setting(ranks)))) == ranks
    assert ranks.list_ranks() == "first 8, conv 4 × 8"
