"""A backend in one file: `check` and the commands around it use it, and nothing else is edited."""

import json
from pathlib import Path

import pytest
from small_models import dense_int8, unary
from toy_backend import Toy, write_profile

from edgeprune.build.artefact import encode_for_device
from edgeprune.build.file_metadata import Annotating
from edgeprune.build.job import Job
from edgeprune.build.request import BuildRequest
from edgeprune.cli.main import run
from edgeprune.commands.check import check
from edgeprune.commands.compress import compress_file
from edgeprune.commands.firmware import FirmwareRequest, write_firmware
from edgeprune.device.check import budget_limits, resolve_budgets
from edgeprune.device.profile import load_profile
from edgeprune.errors import ProfileError, RecipeError
from edgeprune.measuring.backend import BACKENDS, backend_of, list_runtime_names
from edgeprune.measuring.profiles import make_profile_schema, validate_profile
from edgeprune.measuring.runtime import choose_runtime, list_runtimes
from edgeprune.measuring.schemes import refuse_scheme
from edgeprune.methods.method import require_worth
from edgeprune.methods.pricing import cost_of, exceeded
from edgeprune.methods.sparsity import Zeroing
from edgeprune.prune.limits import Limits


@pytest.fixture
def device(tmp_path, monkeypatch) -> str:
    """A profile that names the toy, which is known while the test runs."""
    monkeypatch.setattr(BACKENDS, "_definitions", {**BACKENDS._definitions, "toy": Toy})
    return write_profile(tmp_path / "mine.toml")


@pytest.fixture
def dense(tmp_path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense_int8())
    return path


def test_its_profiles_are_valid_while_it_is_there_and_in_the_schema(device):
    assert validate_profile(Path(device)) == []
    assert "toy" in make_profile_schema()["$defs"]["RuntimeChoice"]["properties"]["name"]["enum"]


def test_without_it_its_profiles_are_refused(device, monkeypatch):
    monkeypatch.undo()
    assert "toy" not in list_runtime_names()
    (error,) = validate_profile(Path(device))
    assert str(error).startswith("runtime.name: is 'toy'; it takes one of")
    with pytest.raises(ProfileError, match=r"^mine: runtime.name: is 'toy'"):
        backend_of(load_profile(device))


def test_check_measures_with_it(device, dense, capfd):
    size = dense.stat().st_size
    assert run(["check", str(dense), "--device", device, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["figures"]["flash_bytes"] == 10 * size
    fits = check(dense, device=device, budgets={"flash_kib": 10 * size / 1024})
    over = check(dense, device=device, budgets={"flash_kib": (10 * size - 1) / 1024})
    assert [found.checks[0].ok for found in (fits, over)] == [True, False]


def test_a_build_measures_plans_and_describes_with_it(device, dense):
    profile = load_profile(device)
    request = BuildRequest(model=None, device=device, data=None, output=Path("out"))
    job = Job(
        request=request, inputs=None, profile=profile, budgets=resolve_budgets(profile), limits=Limits()
    )
    for shaped in (False, True):
        encoded = encode_for_device(dense.read_bytes(), job, shaped=shaped)
        assert encoded.figures["flash_bytes"].value == 10 * dense.stat().st_size
        limits = budget_limits(job.budgets)
        assert exceeded(cost_of(encoded.measured.figures, limits), limits) == []
    assert not Annotating().wants_metadata(profile)


def test_check_says_what_it_cannot_execute(device, tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(unary("LOGISTIC"))
    found = check(path, device=device)
    assert found.unsupported == ("LOGISTIC: toys do not know it",)
    assert not found.fits


def test_what_it_does_not_say_has_a_default(device, dense, tmp_path):
    profile = load_profile(device)
    refuse_scheme("float16", profile)
    with pytest.raises(RecipeError, match="zeros buy nothing on the toy on mine"):
        require_worth(Zeroing(final_sparsity=0.5), profile, scheme="int8", accept_no_gain=False)
    encoded = backend_of(profile).encode(dense.read_bytes(), budgets=resolve_budgets(profile))
    assert encoded.figures["flash_bytes"].value == 10 * dense.stat().st_size
    compressed = compress_file(dense, output=tmp_path / "small.tflite", device=device, flags={})
    assert (compressed.ok, compressed.choice.note) == (
        False,
        "toy on mine cannot unpack constants; encoding saves nothing there.",
    )
    with pytest.raises(RecipeError, match="no firmware projects for the toy on mine"):
        write_firmware(FirmwareRequest(source=dense, device=device, output=tmp_path / "project"))


def test_the_c_engine_can_take_its_place_and_it_can_take_no_others(device):
    profile = load_profile(device)
    assert list_runtimes(profile) == ("toy", "cmsis-nn", "c")
    assert choose_runtime(profile, "c").runtime.kernels == "edgeprune"
    with pytest.raises(RecipeError, match="cortex-m7 runs tflm, not the toy"):
        choose_runtime(load_profile("cortex-m7"), "toy")
