"""What a runtime asks of the profiles that name it."""

from pathlib import Path

import pytest

from edgeprune.device.profile import list_profiles, load_profile
from edgeprune.errors import ProfileError
from edgeprune.measuring.backend import backend_of, find_runtime_faults
from edgeprune.measuring.profiles import validate_profile
from tests.device.test_profile import BROKEN
from tests.device.test_profile import FAULTS as FAULTS_OF_ANY

# For every file that no runtime can do with, what its errors must say: key and reason.
FAULTS = {
    "unknown_runtime": ["runtime.name: is 'tfml'; did you mean 'tflm'?"],
    "system_of_another_npu": ["npu.system_config: is 'Ethos_U65_Embedded', which is not for ethos-u55-128"],
    "dedicated_sram_on_u55": ["npu.memory_mode: is 'Dedicated_Sram'; an Ethos-U55 only reads"],
    "vela_without_an_npu": [
        "npu: is missing; runtime.kernels = 'ethos-u' needs it",
        "npu: is missing; latency.by = 'vela' needs it",
        "npu: is missing; only an NPU decodes what Vela compresses",
    ],
    "npu_with_other_kernels": [
        "runtime.kernels: is 'cmsis-nn'; a device with an NPU takes 'ethos-u'",
        "latency.by: is 'instructions'; a device with an NPU takes 'vela'",
    ],
    "no_room_for_the_arena": ["memory: has none that may hold 'arena'"],
}


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.id)
def test_a_shipped_profile_suits_its_runtime(profile):
    assert find_runtime_faults(profile) == []


def test_every_broken_profile_has_its_faults_listed():
    assert {path.stem for path in BROKEN.glob("*.toml")} == {*FAULTS, *FAULTS_OF_ANY}


@pytest.mark.parametrize("name", FAULTS)
def test_a_profile_that_does_not_suit_its_runtime_is_refused_with_key_and_reason(name):
    path = BROKEN / f"{name}.toml"
    with pytest.raises(ProfileError) as refusal:
        backend_of(load_profile(str(path)))
    listed = [str(error) for error in validate_profile(path)]
    for fault in FAULTS[name]:
        assert fault in refusal.value.message
        assert any(fault in error for error in listed)
    assert refusal.value.exit_code == 3


def test_a_runtime_like_no_other_is_answered_with_those_there_are(tmp_path: Path):
    text = (BROKEN / "unknown_runtime.toml").read_text().replace('"tfml"', '"onnx"')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    (error,) = validate_profile(path)
    assert str(error) == "runtime.name: is 'onnx'; it takes one of 'c', 'tflm', 'litert'"
