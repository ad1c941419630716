"""`edgeprune devices`, on the profiles that ship."""

import json

import pytest

from edgeprune.device.profile import list_profiles
from edgeprune.terminal.devices import format_device
from edgeprune.terminal.tables import measure_width

WIDTH = 80


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (("--core", "m7"), lambda device: device["core"] == "Cortex-M7"),
        (("--core", "CORTEX-M33"), lambda device: device["core"] == "Cortex-M33"),
        (("--kind", "phone"), lambda device: device["kind"] == "phone"),
        (("--runtime", "litert"), lambda device: device["runtime"]["name"] == "litert"),
        (("--runtime", "c"), lambda device: device["kind"] == "mcu" and device["npu"] is None),
        (("--runtime", "ESP-NN"), lambda device: device["runtime"]["kernels"] == "esp-nn"),
        (
            ("--kind", "sbc", "--min-ram", "4194304"),
            lambda device: device["kind"] == "sbc" and dram_gib(device) >= 4,
        ),
        (
            ("--core", "m33", "--min-flash", "2048"),
            lambda device: device["core"] == "Cortex-M33" and flash_kib(device) >= 2048,
        ),
    ],
)
def test_a_filter_leaves_exactly_the_devices_that_are_as_asked(edgeprune, options, holds):
    everything = edgeprune("devices", "list", "--json").document["devices"]
    wanted = [device["id"] for device in everything if holds(device)]
    ended = edgeprune("devices", "list", *options, "--json")
    assert ended.code == 0
    assert [device["id"] for device in ended.document["devices"]] == wanted
    assert 0 < len(wanted) < ended.document["of"]


def dram_gib(device):
    return device["memory"][0]["kib"] / 1024**2


def flash_kib(device):
    return sum(memory["kib"] for memory in device["memory"] if memory["role"] == "flash")


def test_the_least_ram_is_that_of_one_block(edgeprune):
    ids = [
        device["id"]
        for device in edgeprune("devices", "list", "--min-ram", "97", "--json").document["devices"]
    ]
    # It has 96 and 32 KiB, which are not contiguous.
    assert "nucleo-l476rg" not in ids
    assert "nucleo-l496zg" in ids


def test_filters_are_joined(edgeprune):
    text = edgeprune("devices", "list", "--core", "m55", "--runtime", "ethos-u").out
    assert "cortex-m55-ethos-u55-128" in text
    assert "apollo510-evb" not in text
    assert f"3 of {len(list_profiles())} devices" in text


def test_where_no_device_is_as_asked_the_answer_is_no_and_says_what_there_is(edgeprune):
    ended = edgeprune("devices", "list", "--core", "avr")
    assert ended.code == 1
    assert "Cortex-M0+" in ended.out
    assert edgeprune("devices", "list", "--core", "avr", "--json").document["devices"] == []


def test_no_line_of_any_device_is_wider_than_a_terminal(edgeprune):
    lines = edgeprune("devices", "list").out.splitlines()
    lines += [line for profile in list_profiles() for line in format_device(profile).splitlines()]
    assert max(map(measure_width, lines)) <= WIDTH


def test_a_device_is_shown_in_sections(edgeprune):
    text = edgeprune("devices", "show", "nucleo-h743zi").out
    for heading in ("Memories", "Budgets of", "Latency", "Costs of", "Flashing", "Sources", "Not verified"):
        assert f"\n{heading}" in text
    assert "0x24000000" in text
    assert "pyocd stm32h743xx" in text
    assert "qemu-system-arm -M mps2-an500" in text


def test_a_profile_of_ones_own_is_started_and_valid(edgeprune, tmp_path):
    file = tmp_path / "mine.toml"
    assert edgeprune("devices", "new", "--from", "nucleo-f446re", file).code == 0
    assert edgeprune("devices", "validate", file).code == 0
    assert edgeprune("devices", "show", file, "--json").document["device"]["id"] == "mine"
    ended = edgeprune("devices", "new", "--from", "nucleo-f446re", file)
    assert ended.code == 3
    assert "--force" in ended.err
    assert edgeprune("devices", "new", "--from", "nucleo-f446re", file, "--force").code == 0


def test_the_schema_is_printed_as_a_file_and_as_a_document(edgeprune):
    text = edgeprune("devices", "schema").out
    assert edgeprune("devices", "schema", "--json").document["json_schema"] == json.loads(text)
