from dataclasses import fields

import pytest

from edgeprune.config.budgets import BUDGETS, find_budget
from edgeprune.config.build_options import BuildOptions
from edgeprune.device.check import Budgets
from edgeprune.device.figures import UNITS
from edgeprune.device.profile import load_profile
from edgeprune.errors import RecipeError


def test_every_budget_has_a_figure_an_option_a_default_in_profiles_and_a_place_in_the_limits():
    profile = load_profile("cortex-m7")
    options = {item.name for item in fields(BuildOptions)}
    limits = {item.name for item in fields(Budgets)} - {"is_strict", "spare"}
    assert {kind.figure for kind in BUDGETS.values()} == limits
    for kind in BUDGETS.values():
        assert UNITS[kind.figure] == kind.unit
        assert kind.key in options
        assert hasattr(profile.budgets, kind.key)


def test_a_key_and_its_flag_are_spelt_alike():
    assert [kind.flag for kind in BUDGETS.values()] == ["--flash-kib", "--ram-kib", "--latency-ms"]
    assert find_budget("ram_kib") is BUDGETS["ram"]


def test_an_unknown_key_is_refused_with_those_there_are():
    with pytest.raises(RecipeError, match="'flash_mib' is not a budget; known: flash_kib, "):
        find_budget("flash_mib")
