import pytest

from edgeprune.config.recipe import LayerLimit, Recipe, merge, read_recipe
from edgeprune.errors import RecipeError


def write(folder, text):
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_holds_what_it_says_and_is_silent_on_the_rest(tmp_path):
    recipe = read_recipe(write(tmp_path, 'device = "cortex-m7"\nlatency_ms = 12\nscope = "local"\n'))
    assert recipe == Recipe(device="cortex-m7", latency_ms=12.0, scope="local")


def test_a_flag_beats_the_recipe_and_silence_is_left_out():
    recipe = Recipe(device="cortex-m7", seed=3)
    assert merge({"device": "cortex-m4", "seed": None, "epochs": 2}, recipe) == {
        "device": "cortex-m4",
        "seed": 3,
        "epochs": 2,
    }


def test_limits_of_layers_are_tables_by_pattern(tmp_path):
    text = 'keep = ["stem", "head*"]\n[layers."conv2d_*"]\nmin_channels = 8\nmax_ratio = 0.3\n[layers.tail]\n'
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.keep == ("stem", "head*")
    assert recipe.layers == {
        "conv2d_*": LayerLimit(min_channels=8, max_ratio=0.3),
        "tail": LayerLimit(min_channels=1, max_ratio=1.0),
    }
    assert merge({}, recipe)["layers"] is recipe.layers


def test_errors_in_the_limits_of_layers_name_the_table(tmp_path):
    text = '[layers."conv*"]\nmin_channel = 8\n[layers.tail]\nmax_ratio = 30\nmin_channels = 0\n'
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(tmp_path, text))
    assert (
        "layers.conv*.min_channel: is not a known key; did you mean 'min_channels'?" in caught.value.message
    )
    assert "layers.tail.max_ratio: is 30" in caught.value.message
    assert "layers.tail.min_channels: is 0" in caught.value.message


def test_layers_that_the_command_line_keeps_replace_those_of_the_recipe():
    recipe = Recipe(keep=("stem",))
    assert merge({"keep": ()}, recipe) == {"keep": ("stem",)}
    assert merge({"keep": ("head",)}, recipe) == {"keep": ("head",)}
    assert merge({"keep": ()}, Recipe()) == {}


def test_a_flag_of_zero_is_not_silence():
    assert merge({"max_drop": 0.0}, Recipe(max_drop=0.5)) == {"max_drop": 0.0}


def test_all_errors_are_reported_together(tmp_path):
    path = write(tmp_path, 'latency = 3\nscope = "regional"\nepochs = 1.5\nmax_drop = 2\nseed = -1\n')
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = caught.value.message
    assert message.startswith(f"{path}: 5 errors: ")
    assert all(key in message for key in ("latency: ", "scope: ", "epochs: ", "max_drop: ", "seed: "))
    assert "did you mean 'latency_ms'?" in message


@pytest.mark.parametrize(
    "text", ["flash_kib = inf", "ram_kib = nan", "latency_ms = 0", "flash_kib = -1", "x ="]
)
def test_numbers_that_are_no_budgets_are_refused(tmp_path, text):
    with pytest.raises(RecipeError):
        read_recipe(write(tmp_path, text))


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "missing.toml")
