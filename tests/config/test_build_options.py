"""The declaration of a build's options agrees with what it cannot read: registries, defaults elsewhere."""

from dataclasses import fields
from typing import get_args

from edgeprune.config.build_options import (
    GROUPS,
    BuildOptions,
    describe_default,
    flags_of,
    list_options,
    recipe_keys,
)
from edgeprune.config.tables import describe_fields
from edgeprune.keras_bridge.data.representative import REPRESENTATIVE_SAMPLES
from edgeprune.methods.sparsity import ASKED, Zeroing
from edgeprune.tflite.schemes import SCHEMES

HINTS = describe_fields(BuildOptions)[1]


def literals(name: str) -> set[object]:
    return {value for hint in get_args(HINTS[name]) for value in get_args(hint)}


def test_every_option_is_listed_once_under_a_heading():
    listed = [item.name for item, _ in list_options()]
    assert sorted(listed) == sorted(item.name for item in fields(BuildOptions))
    assert {text.group for _, text in list_options()} == set(GROUPS)


def test_an_option_can_be_said_on_the_command_line_or_in_a_recipe():
    for item, text in list_options():
        assert flags_of(item, text) or item.name in recipe_keys()


def test_types_of_inputs_are_those_of_all_schemes():
    assert literals("io_type") == {kind for _, scheme in SCHEMES.items() for kind in scheme.io_types}


def test_the_defaults_told_of_zeros_are_those_that_hold():
    defaults = {item.name: item.default for item in fields(Zeroing)}
    renamed = {"mask_scope": "scope", "sparsity_schedule": "schedule", "mask": "pattern"}
    told = {item.name: describe_default(item, text) for item, text in list_options()}
    for name in set(ASKED) - {"final_sparsity", "end_step", "frequency"}:
        value = defaults[renamed.get(name, name)]
        assert told[name] == (f"{value:g}" if isinstance(value, float | int) else str(value)), name


def test_the_number_of_representative_samples_that_is_told_is_the_usual_one():
    (told,) = [text.told for item, text in list_options() if item.name == "representative_samples"]
    assert int(told) == REPRESENTATIVE_SAMPLES
