"""What a build is asked for: arguments before the recipe, each with who said it."""

from pathlib import Path

import pytest

from edgeprune.build.request import BuildRequest, make_request
from edgeprune.device.check import resolve_budgets
from edgeprune.device.profile import load_profile
from edgeprune.errors import RecipeError
from edgeprune.methods.clustering import Clustering


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'device = "cortex-m7"\nram_kib = 20\nlatency_ms = 5\nseed = 3\nkeep = ["stem"]\n'
        'min_channels = 8\naccept = ["no-gain"]\n'
    )
    return path


def test_an_argument_beats_the_recipe_and_silence_does_not(recipe: Path) -> None:
    request = make_request({"latency_ms": 4.0, "seed": None, "keep": (), "max_drop": 0.0}, recipe=recipe)
    assert (request.latency_ms, request.seed, request.keep) == (4.0, 3, ("stem",))
    assert (request.max_drop, request.min_channels, request.epochs) == ("0", 8, "auto")
    assert request.accepts("no-gain")
    assert not request.accepts("input-range")


def test_a_budget_says_who_asked_for_it(recipe: Path) -> None:
    request = make_request({"latency_ms": 4.0}, recipe=recipe)
    budgets = resolve_budgets(
        load_profile(request.device), asked=request.budgets, origins=request.origins, is_strict=False
    )
    assert (budgets.latency_ms.value, budgets.latency_ms.origin) == (4.0, "flag")
    assert (budgets.ram_bytes.value, budgets.ram_bytes.origin) == (20 * 1024, "recipe")
    assert budgets.flash_bytes.origin == "profile"


def test_the_embedded_example_ends_in_a_verdict_where_no_budget_is_asked_for() -> None:
    asked = {"device": "cortex-m7"}
    assert make_request(asked).strict
    assert not make_request({**asked, "strict": False}).strict
    for other in ({"latency_ms": 8.0}, {"minimize": "latency"}, {"model": "model.keras", "data": "d.npz"}):
        assert not make_request({**asked, **other}).strict


def test_what_belongs_together_is_read_together() -> None:
    request = BuildRequest(
        device="cortex-m7",
        clusters=16,
        keep=("stem",),
        normalization="127.5,127.5",
        keep_signatures=True,
        input_shape=("96,96,3",),
        weights=Path("w.h5"),
    )
    assert request.shaping == Clustering(values=16, keep=("stem",))
    assert request.annotating.normalization == (127.5, 127.5)
    assert request.annotating.signatures is True
    assert request.load.input_shapes == ((96, 96, 3),)
    assert request.load.weights == Path("w.h5")
    assert BuildRequest(device="cortex-m7").shaping is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "no device is given"),
        ({"device": "cortex-m7", "clusters": 16, "mask": "2:4"}, "cannot be combined"),
        ({"device": "cortex-m7", "input_shape": ("wide",)}, "is no shape"),
        ({"device": "cortex-m7", "normalization": "half"}, "is no mean"),
        ({"device": "cortex-m7", "initial_sparsity": 0.1}, "how many weights become zero is not said"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(asked: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        make_request(asked)
