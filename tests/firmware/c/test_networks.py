"""Networks as people convert them: what TFLM runs, the engine runs, bit for bit, under gcc's sanitizers."""

import numpy as np
import pytest

from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program
from edgeprune.runtimes.samples import group
from edgeprune.runtimes.tflm_host import run_tflm
from tests.firmware.c.networks import ARCHITECTURES, FILES_EACH, draw_network
from tests.firmware.c.test_ops import DIFFERENT, SANITIZERS, needs_gcc

OPTIMIZE = ("speed", "size")
FEW = {
    "1D convolutions": 1,
    "text convolution": 2,
    "TCN": 3,
    "recommender": 4,
    "dense autoencoder": 5,
    "tabular": 6,
    "keyword spotter": 7,
    "siamese": 8,
    "MobileNet V2": 9,
    "text transformer": 0,
}
"""One drawing each of what is made fast."""


def spread(inputs):
    """The samples, the later ones larger, so that integers saturate; whole numbers stay what they are."""
    factors = np.array([1, 1, 1, 2, 3, 20], np.float32)
    return [
        each * factors.reshape(-1, *[1] * (each.ndim - 1)) if each.dtype.kind == "f" else each
        for each in inputs
    ]


def count_differing(network, directory, *, core, optimize):
    """Elements of all outputs that are not what TFLM's reference kernels give."""
    engine = write_engine(network.data, directory=directory, core=core, optimize=optimize)
    parsed = engine.program.model
    inputs = group(parsed, tuple(spread(network.inputs))).inputs
    program = build_host_program(engine, directory=directory / "host", flags=SANITIZERS)
    ours = run_host_program(program, inputs, model=parsed)
    theirs = run_tflm(network.data, inputs).outputs
    return sum(
        int((~np.isclose(mine, other.raw.reshape(mine.shape), rtol=0, atol=0, equal_nan=True)).sum())
        for mine, other in zip(ours, theirs, strict=True)
    )


def try_network(architecture, number, tmp_path):
    network = draw_network(architecture, number)
    folder = tmp_path / f"{number}"
    folder.mkdir()
    core, optimize = DIFFERENT[number % len(DIFFERENT)], OPTIMIZE[number // 3 % len(OPTIMIZE)]
    differing = count_differing(network, folder, core=core, optimize=optimize)
    return f"{network.name}, {core}, {optimize}", differing


@needs_gcc
@pytest.mark.parametrize("architecture", FEW)
def test_a_drawing_of_an_architecture_is_exact(architecture, tmp_path):
    name, differing = try_network(architecture, FEW[architecture], tmp_path)
    assert not differing, name


@needs_gcc
@pytest.mark.nightly
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_drawing_of_an_architecture_is_exact(architecture, tmp_path):
    found = dict(try_network(architecture, number, tmp_path) for number in range(FILES_EACH))
    assert len(found) == FILES_EACH
    assert not {name: differing for name, differing in found.items() if differing}


def test_there_are_three_hundred_files():
    assert FILES_EACH * len(ARCHITECTURES) >= 300
