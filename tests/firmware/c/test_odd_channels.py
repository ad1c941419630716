"""One odd channel must not make a whole layer slow."""

import numpy as np
import pytest
from small_models import tensor

from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import Example, int8, join, options_of, random_inputs
from tests.firmware.c.examples_windows import window_options
from tests.firmware.c.test_ops import DIFFERENT, SANITIZERS, needs_gcc, needs_qemu

MOST = 1.05
MOST_LIVE = 1.09
"""For odd channels that are no constants, where a layer has but few blocks of channels, of few products."""
MOST_LIVE_HELIUM = 1.2
"""The same, where a layer takes so few instructions that one odd channel counts the more."""
CONSTANTS = ("without weights", "without weights, with a bias", "of tiny weights", "always at the limit")
KINDS = (*CONSTANTS, "of a large scale", "with a weight of -128")


def layer(op, *, odd, channels=48):
    """A layer of so many channels, the sixth of which is odd in one way, or none."""
    rng = np.random.default_rng(0)
    shape, image, output, axis = {
        "pointwise": ((channels, 1, 1, 8), (1, 16, 16, 8), (1, 16, 16, channels), 0),
        "3x3": ((channels, 3, 3, 8), (1, 8, 8, 8), (1, 8, 8, channels), 0),
        "depthwise": ((1, 3, 3, channels), (1, 8, 8, channels), (1, 8, 8, channels), 3),
        "dense": ((channels, 64), (1, 64), (1, channels), 0),
    }[op]
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    scales = rng.uniform(0.001, 0.005, channels).astype(np.float32)
    bias = rng.integers(-5000, 5000, channels).astype(np.int32)
    channel = np.moveaxis(weights, axis, 0)[5]
    if odd == "without weights":
        channel[:], scales[5], bias[5] = 0, 1.0, 0
    elif odd == "without weights, with a bias":
        channel[:], scales[5], bias[5] = 0, 1.0, 3
    elif odd == "of tiny weights":
        scales[5], bias[5] = 1e-9, 77
    elif odd == "always at the limit":
        bias[5] = -(1 << 24)
    elif odd == "of a large scale":
        scales[5], bias[5] = 1.5, 0
    elif odd == "with a weight of -128":
        channel.reshape(-1)[0], np.moveaxis(weights, axis, 0)[4].reshape(-1)[0] = -128, -3
    kept = tensor(shape, "INT8", scale=scales, data=weights)
    kept.quantization.quantizedDimension = axis
    kinds = {
        "depthwise": ("DEPTHWISE_CONV_2D", "DepthwiseConv2D"),
        "dense": ("FULLY_CONNECTED", "FullyConnected"),
    }
    name, kind = kinds.get(op, ("CONV_2D", "Conv2D"))
    options = (
        options_of(kind, fused_activation_function=1)
        if op == "dense"
        else window_options(
            kind,
            padding="SAME",
            stride=(1, 1),
            dilation=(1, 1),
            activation="RELU",
            **({"depth_multiplier": 1} if op == "depthwise" else {}),
        )
    )
    tensors = (
        int8(image, zero_point=-3),
        kept,
        tensor((channels,), "INT32", scale=scales * 0.05, data=bias),
        int8(output, scale=0.1, zero_point=-128),
    )
    return join(
        [Example(name=op, op=name, tensors=tensors, inputs=(0, 1, 2), outputs=(3,), options=options)]
    )[0]


def run(data, core, directory):
    engine = write_engine(data, directory=directory, core=core)
    board = find_board(core)
    elf, _ = build_image(engine, directory=directory / "image", board=board)
    inputs = random_inputs(read_model(data, where="layer"), samples=6)
    ran = run_image(elf, inputs, model=engine.program.model, board=board)
    assert np.array_equal(ran.outputs[0], run_tflm(data, inputs).outputs[0].raw.reshape(ran.outputs[0].shape))
    return max(ran.instructions)


@needs_gcc
@pytest.mark.parametrize("core", DIFFERENT)
@pytest.mark.parametrize("odd", KINDS)
def test_odd_channels_are_exact_where_they_do_not_fill_their_block(odd, core, tmp_path):
    """Six or seven channels, in blocks of four and eight."""
    for op in ("pointwise", "3x3", "depthwise", "dense"):
        for channels in (6, 7):
            data, directory = layer(op, odd=odd, channels=channels), tmp_path / f"{op}_{channels}"
            engine = write_engine(data, directory=directory, core=core)
            program = build_host_program(engine, directory=directory / "host", flags=SANITIZERS)
            inputs = random_inputs(read_model(data, where="layer"), samples=6)
            (ours,) = run_host_program(program, inputs, model=engine.program.model)
            assert np.array_equal(ours, run_tflm(data, inputs).outputs[0].raw.reshape(ours.shape)), op


@needs_qemu
@pytest.mark.parametrize("core", DIFFERENT)
@pytest.mark.parametrize("op", ["pointwise", "3x3", "depthwise", "dense"])
def test_a_layer_with_an_odd_channel_takes_what_its_twin_without_takes(op, core, tmp_path):
    live = run(layer(op, odd=""), core, tmp_path / "live")
    for kind in KINDS:
        is_live = kind not in CONSTANTS
        most = MOST_LIVE if is_live and op in ("pointwise", "dense") else MOST
        most = MOST_LIVE_HELIUM if is_live and core == "Cortex-M55" else most
        assert run(layer(op, odd=kind), core, tmp_path / kind) <= most * live, kind
