"""The memory plan of the report, and how backends say that a build gets onto its device."""

import shlex

import pytest
from small_models import real_model

from edgeprune.cli.main import cli
from edgeprune.device.arena import plan_head, read_arena_inputs
from edgeprune.device.estimate import arena_kernels
from edgeprune.device.profile import list_profiles, load_profile
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Measured
from edgeprune.measuring.runtime import choose_runtime
from edgeprune.tflite.arena import align
from edgeprune.tflite.read import read_model


@pytest.mark.parametrize("device", ["cortex-m7", "esp32-s3", "pixel-6"])
def test_the_plan_takes_what_the_arenas_head_takes_and_nothing_lies_over_another(device):
    profile, model = load_profile(device), read_model(real_model("resnet8"), where="resnet8")
    plan = backend_of(profile).plan_memory(Measured(model=model, ops=(), figures={}))
    kernels = "reference" if profile.kind == "phone" else arena_kernels(profile)
    assert plan["total_bytes"] == plan_head(read_arena_inputs(model), kernels)
    assert len(plan["steps"]) == 1 + len(model.ops)
    blocks = plan["blocks"]
    assert max(block["offset"] + align(block["bytes"]) for block in blocks) == plan["total_bytes"]
    assert max(block["last"] for block in blocks) < len(plan["steps"])
    for i, one in enumerate(blocks):
        for other in blocks[:i]:
            together = one["first"] <= other["last"] and other["first"] <= one["last"]
            apart = one["offset"] + one["bytes"] <= other["offset"]
            apart |= other["offset"] + other["bytes"] <= one["offset"]
            assert apart or not together, (one, other)


def commands(profile):
    return [step["command"] for step in backend_of(profile).list_deployment() if step["command"]]


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.id)
def test_every_device_is_told_how_and_edgeprunes_commands_are_understood(profile):
    assert backend_of(profile).list_deployment()
    for command in commands(profile):
        program, *words = shlex.split(command)
        if program == "edgeprune":
            name, *arguments = words
            # Options are looked up and converted; nothing is run.
            cli.get_command(None, name).make_context(name, arguments, resilient_parsing=False)


def test_the_c_engines_images_are_flashed_from_the_builds_own_folder():
    profile = choose_runtime(load_profile("nucleo-l4r5zi"), "c")
    assert commands(profile)[0] == "edgeprune flash . --device nucleo-l4r5zi"


def test_a_board_with_a_drive_asks_for_it():
    assert any("--volume DRIVE" in command for command in commands(load_profile("raspberry-pi-pico")))
    assert "edgeprune firmware . --project pico --output ../firmware" in commands(
        load_profile("raspberry-pi-pico")
    )
