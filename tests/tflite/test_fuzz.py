"""Damaged files through everything that reads them: read or refused, in a sentence. No crash, no hang.

`scripts/fuzz_tflite.py` does the same for as long as it is told to, through the command line and TFLM.
"""

import tracemalloc
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import model, tensor
from tflite_mutations import list_victims, mutate

from edgeprune.cli.view import format_view
from edgeprune.commands.view import view_file
from edgeprune.device.profile import load_profile
from edgeprune.errors import ModelError
from edgeprune.measuring.backend import measure
from edgeprune.report.schema import format_json
from edgeprune.tflite.outline import outline_model
from edgeprune.tflite.parts import list_parts
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

VICTIMS = list_victims()
SCRIPTS = Path(__file__).parents[2] / "scripts"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(VICTIMS)), random=st.randoms(use_true_random=False))
def test_a_damaged_file_is_viewed_and_stripped_or_refused(tmp_path_factory, name, random):
    data = mutate(VICTIMS[name], random)
    file = tmp_path_factory.getbasetemp() / "fuzzed.tflite"
    file.write_bytes(data)
    try:
        document = view_file(file).to_json()
    except ModelError:
        return
    assert format_view(document, sort="size")
    assert format_json(document)
    for keep_interface in (False, True):
        try:
            stripped = strip(data, keep_interface=keep_interface)
        except ModelError:
            continue
        assert strip(stripped, keep_interface=keep_interface) == stripped
        assert sum(part.bytes for part in list_parts(data, where="fuzzed")) == len(data)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(VICTIMS)), random=st.randoms(use_true_random=False))
def test_a_damaged_file_is_measured_for_a_phone_or_refused(name, random):
    with suppress(ModelError):
        measure(mutate(VICTIMS[name], random), profile=load_profile("pixel-6"), where="fuzzed")


def test_reading_and_stripping_take_less_than_ten_times_the_file():
    many = [
        tensor((8, 1000), data=np.full((8, 1000), n, np.int8), scale=1.0, name=f"w{n}") for n in range(100)
    ]
    ends = [tensor((1, 1000), scale=1.0), *(tensor((1, 8), scale=1.0) for _ in many)]
    ops = [("FULLY_CONNECTED", (100, n), (101 + n,), None) for n in range(100)]
    data = model([*many, *ends], ops, inputs=[100], outputs=[200])
    tracemalloc.start()
    try:
        outline_model(read_model(data, where="large"))
        strip(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(data)


def test_the_fuzzer_sees_a_reader_that_crashes(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    fuzzer = import_module("fuzz_tflite")
    monkeypatch.setattr("edgeprune.commands.view.read_model", lambda data, *, where: {}[where])
    file = tmp_path / "dense.tflite"
    file.write_bytes(VICTIMS["dense"])
    problem, code = fuzzer.judge_command(["view", str(file)])
    assert code == 70
    assert "view ended with 70" in problem


def test_the_fuzzer_sees_what_takes_too_much_memory(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    fuzzer = import_module("fuzz_tflite")
    monkeypatch.setattr(fuzzer, "outline_model", lambda model: bytearray(4 << 20))
    assert "bytes of memory" in fuzzer.judge_memory(VICTIMS["dense"])


def test_a_damaged_archive_behind_the_model_can_be_stripped_off():
    data = VICTIMS["annotated"]
    at = data.rindex(b"PK\x03\x04")
    damaged = data[:at] + b"XX" + data[at + 2 :]
    assert sum(part.bytes for part in list_parts(damaged, where="damaged")) == len(damaged)
    assert strip(damaged) == strip(data)
    with pytest.raises(ModelError, match="archive"):
        strip(damaged, keep_interface=True)
