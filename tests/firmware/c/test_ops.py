"""Every op, example by example, bit for bit as TFLM's reference kernels compute it."""

import shutil

import numpy as np
import pytest

from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program
from edgeprune.firmware.c.layer import EMITTERS
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.examples import all_examples, join, random_inputs

SANITIZERS = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="session")
def reference():
    data, names = join(all_examples())
    parsed = read_model(data, where="examples")
    inputs = random_inputs(parsed)
    return data, names, inputs, [output.raw for output in run_tflm(data, inputs).outputs]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M7"])
def test_every_example_is_as_tflm_computes_it(reference, core, tmp_path):
    data, names, inputs, expected = reference
    engine = write_engine(data, directory=tmp_path, core=core)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    wrong = {
        name: int((ours != theirs.reshape(ours.shape)).sum())
        for name, ours, theirs in zip(names, outputs, expected, strict=True)
        if not np.array_equal(ours, theirs.reshape(ours.shape))
    }
    assert not wrong


def test_every_op_has_an_example():
    assert {example.op for example in all_examples()} == set(EMITTERS)
