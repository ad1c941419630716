import pytest

from edgeprune.errors import RecipeError
from edgeprune.recipe import Recipe, merge, read_recipe


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
