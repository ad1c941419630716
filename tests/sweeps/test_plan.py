import pytest

from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.sweeps.plan import Trial, compose_plan, list_cases, list_trials, read_plan, require_inputs
from tests.sweeps.stubs import make_plan


def test_every_device_budget_setting_and_seed_is_built_and_each_model_has_a_reference_for_each_seed():
    plan = make_plan(
        devices=["cortex-m7", "cortex-m4"],
        latency_ms=[10.0, 20.0, 30.0],
        seeds=3,
        settings={"criterion": ["l1", "l2"]},
    )
    trials = list_trials(plan)
    builds = [trial for trial in trials if trial.kind == "build"]
    references = [trial for trial in trials if trial.kind == "reference"]
    assert len(builds) == 2 * 3 * 2 * 3
    assert len(references) == 3
    assert all(trial.devices == ("cortex-m7", "cortex-m4") for trial in references)
    assert all("latency_ms" not in trial.request for trial in references)
    assert len({trial.name for trial in trials}) == len(trials)
    assert len({trial.case for trial in builds}) == 2 * 3 * 3, "settings are rivals, seeds are not"


def test_the_first_seed_comes_first_and_of_it_the_reference():
    kinds = [(trial.kind, trial.request["seed"]) for trial in list_trials(make_plan(seeds=2))]
    assert kinds == [
        ("reference", 0),
        ("build", 0),
        ("build", 0),
        ("reference", 1),
        ("build", 1),
        ("build", 1),
    ]


def test_a_name_says_what_it_is_and_stays_the_same():
    first, again = (list_trials(make_plan())[1] for _ in range(2))
    assert first.name == again.name
    assert first.name.startswith("build-example-cortex-m7-latency_ms-10-seed-0-")
    other = list_trials(make_plan(build={"epochs": 3}))[1]
    assert other.name != first.name


def test_budgets_of_several_kinds_are_combined():
    plan = make_plan(flash_kib=[64.0, 128.0])
    asked = [(c.request["flash_kib"], c.request["latency_ms"]) for c in list_cases(plan) if c.kind == "build"]
    assert sorted(asked) == [(64, 10), (64, 20), (128, 10), (128, 20)]


def test_a_drop_is_a_result_and_not_an_error():
    assert list_trials(make_plan())[1].request["max_drop"] == "1e6"
    assert list_trials(make_plan(build={"max_drop": "2%"}))[1].request["max_drop"] == "2%"


def test_a_plan_is_read_from_a_file(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(
        'devices = ["cortex-m7"]\nlatency_ms = [10, 15]\nseeds = 2\n[[models]]\nmodel = "a.keras"\n'
        'data = "a.npz"\n[build]\nepochs = 8\n[settings]\ncriterion = ["l1", "l2"]\n'
    )
    plan = compose_plan(file, data=None, epochs=4, said={"seeds": 3, "latency_ms": None})
    assert plan.seeds == 3
    assert plan.latency_ms == (10, 15)
    assert plan.build == {"epochs": 4}
    assert plan.settings == {"criterion": ("l1", "l2")}
    request = list_trials(plan)[1].request
    assert (request["model"], request["data"], request["epochs"]) == ("a.keras", "a.npz", 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('devices = ["cortex-m7"]\nlatency = [10]', "latency"),
        ('devices = ["cortex-m7"]\nlatency_ms = [-1]', "latency_ms"),
        ("[build]\nepochs = 0", "build.epochs"),
        ("[build]\nseed = 3", "build.seed: is said of the whole sweep"),
        ("[build]\nforce = true", "build.force: belongs to one run"),
        ('[settings]\ncriterion = "l1"', "settings.criterion: takes a list"),
        ("[settings]\nschedule = [3]", "settings.schedule"),
        ("[build]\nfancy = 3", "build.fancy"),
        ("build = 3", "build: is no table"),
    ],
)
def test_all_errors_name_their_key(tmp_path, text, said):
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=said):
        read_plan(file)


def test_a_plan_without_devices_and_one_of_unknown_devices_are_refused():
    with pytest.raises(RecipeError, match="no device"):
        compose_plan(None, data=None, epochs=None, said={})
    with pytest.raises(RecipeError, match="data are those of a model"):
        compose_plan(None, data="a.npz", epochs=None, said={"devices": ["cortex-m7"]})
    with pytest.raises(UnknownNameError):
        list_trials(make_plan(devices=["cortex-m99"]))


def test_a_trial_survives_json():
    trial = list_trials(make_plan())[1]
    document = trial.to_json()
    name = document.pop("name")
    again = Trial(**{**document, "devices": tuple(document["devices"])})
    assert again.name == name


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        ("m.keras", {"data": "nowhere.npz"}, "no such file or folder"),
        ("nowhere.keras", {"data": "d.npz"}, "no such file or folder"),
        ("m.keras", {}, "no data"),
        ("m.keras", {"data": "d.npz"}, None),
        ("m.keras", {"data": "loader:load"}, None),
    ],
)
def test_what_is_not_there_is_said_before_anything_starts(model, more, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("m.keras", "d.npz"):
        (tmp_path / name).write_bytes(b"")
    plan = make_plan(models=[{"model": model, **more}])
    if said is None:
        require_inputs(plan)
    else:
        with pytest.raises(RecipeError, match=said):
            require_inputs(plan)
