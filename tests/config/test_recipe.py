from dataclasses import fields
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edgeprune.config.build_options import BuildOptions, LayerLimit
from edgeprune.config.recipe import check_options, make_recipe_schema, read_recipe
from edgeprune.errors import RecipeError


def write(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_holds_what_it_says_and_is_silent_on_the_rest(tmp_path):
    said = read_recipe(write(tmp_path, 'device = "cortex-m7"\nlatency_ms = 12\nscope = "local"\n'))
    assert said == {"device": "cortex-m7", "latency_ms": 12.0, "scope": "local"}


def test_limits_of_layers_are_tables_by_pattern(tmp_path):
    text = 'keep = ["stem", "head*"]\n[layers."conv2d_*"]\nmin_channels = 8\nmax_ratio = 0.3\n[layers.tail]\n'
    said = read_recipe(write(tmp_path, text))
    assert said["keep"] == ("stem", "head*")
    assert said["layers"] == {
        "conv2d_*": LayerLimit(min_channels=8, max_ratio=0.3),
        "tail": LayerLimit(min_channels=1, max_ratio=1.0),
    }


def test_errors_in_the_limits_of_layers_name_the_table(tmp_path):
    text = '[layers."conv*"]\nmin_channel = 8\n[layers.tail]\nmax_ratio = 30\nmin_channels = 0\n'
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(tmp_path, text))
    assert (
        "layers.conv*.min_channel: is not a known key; did you mean 'min_channels'?" in caught.value.message
    )
    assert "layers.tail.max_ratio: is 30" in caught.value.message
    assert "layers.tail.min_channels: is 0" in caught.value.message


def test_all_errors_are_reported_together(tmp_path):
    path = write(tmp_path, 'latency = 3\nscope = "regional"\nepochs = 1.5\nmax_drop = -2\nseed = -1\n')
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = caught.value.message
    assert message.startswith(f"{path}: 5 errors: ")
    assert all(key in message for key in ("latency: ", "scope: ", "epochs: ", "max_drop: ", "seed: "))
    assert "did you mean 'latency_ms'?" in message


def test_what_belongs_to_one_run_stands_in_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match="force: belongs to one run"):
        read_recipe(write(tmp_path, "force = true\n"))


@pytest.mark.parametrize(
    "text",
    [
        "flash_kib = inf",
        "ram_kib = nan",
        "latency_ms = 0",
        "flash_kib = -1",
        "final_sparsity = 1",
        'accept = ["anything"]',
        "x =",
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path, text):
    with pytest.raises(RecipeError):
        read_recipe(write(tmp_path, text))


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "missing.toml")


def test_silence_is_left_out_and_zero_is_no_silence():
    asked = {"device": "cortex-m7", "seed": None, "keep": (), "layers": {}, "max_drop": 0, "trust": False}
    assert check_options(asked, where="flags") == {"device": "cortex-m7", "max_drop": "0", "trust": False}


def test_python_says_lists_paths_and_arrays_where_a_file_says_text():
    arrays = (np.zeros(3), np.zeros(3))
    said = check_options({"keep": ["a"], "labels": Path("l.txt"), "data": arrays}, where="arguments")
    assert said["keep"] == ("a",)
    assert said["labels"] == Path("l.txt")
    assert said["data"] is arrays
    said = check_options({"epochs": np.int64(2), "latency_ms": np.float32(0.5)}, where="arguments")
    assert said == {"epochs": 2, "latency_ms": 0.5}


def test_arguments_are_held_to_the_same_types_and_ranges():
    with pytest.raises(RecipeError) as caught:
        check_options({"epochs": 0, "labels": 3, "keep": "conv2d"}, where="arguments")
    assert "arguments: 3 errors: " in caught.value.message
    assert "labels: is 3; it takes a path" in caught.value.message


def test_the_schema_accepts_what_the_reader_does_and_knows_every_key():
    schema = make_recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"latency_ms": 3, "layers": {"conv*": {"min_channels": 8}}})
    for wrong in ({"latency_ms": 0}, {"final_sparsity": 1}, {"force": True}, {"runtime": "litert"}):
        assert not validator.is_valid(wrong), wrong
    keys = set(schema["properties"])
    assert {item.name for item in fields(BuildOptions)} - keys == {"resume", "force"}
    assert all(schema["properties"][key]["description"] for key in keys)
