"""What SVDF remembers from one inference to the next; between samples all memory is cleared."""

import numpy as np
from small_models import model

from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.tflm_host import run_tflm
from tests.firmware.c.example import int8
from tests.firmware.c.examples_matrices import svdf
from tests.firmware.c.test_ops import SANITIZERS, needs_gcc


@needs_gcc
def test_the_state_moves_on_with_each_inference(tmp_path):
    example = svdf("svdf", memory=3)
    source, features, times, bias, state, output = example.tensors
    # Three ops with one state are three inferences.
    more = [int8((1, 6), zero_point=3), int8((1, 6), zero_point=3)]
    more += [int8((1, 4), scale=0.002, zero_point=-128), int8((1, 4), scale=0.002, zero_point=-128)]
    tensors = [source, features, times, bias, state, output, *more]
    ops = [("SVDF", (at, 1, 2, 3, 4), (out,), example.options) for at, out in ((0, 5), (6, 8), (7, 9))]
    data = model(tensors, ops, inputs=[0, 6, 7], outputs=[5, 8, 9])
    engine = write_engine(data, directory=tmp_path)
    inputs = draw_inputs(engine.program.model, samples=10, seed=0)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    for ours, theirs in zip(outputs, run_tflm(data, inputs).outputs, strict=True):
        np.testing.assert_array_equal(ours.reshape(-1), theirs.raw.reshape(-1))
        assert len(np.unique(ours)) > 10
