"""Fit the law of `edgeprune/firmware/c/winograd.py`: instructions of a layer by Winograd's kernel.

    python scripts/fit_winograd.py MODEL.tflite... --core Cortex-M7

Compiles each model with every layer by that kernel that can be, counts these in the emulator, and prints what
tiles, channels and products take, with the relative error of each layer.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgeprune.firmware.c import winograd
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.runtimes.golden import draw_inputs

Terms = tuple[int, int, int, int]
"""Steps of a layer, groups of channels that it reads, blocks that it computes, pairs that it multiplies."""


def main() -> None:
    """Prints the law of one core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--core", default="Cortex-M7")
    arguments = parser.parse_args()
    winograd.count_instructions = lambda window: 0.0  # chosen whatever it takes
    rows = dict(row for path in arguments.models for row in count_model(path, core=arguments.core))
    terms, counted = np.array([*rows], float), np.array([*rows.values()], float)
    law = np.linalg.lstsq(terms / counted[:, None], np.ones(len(counted)), rcond=None)[0]
    print("step, group, block, pair:", ", ".join(f"{each:.0f}" for each in law))
    print("errors:", ", ".join(f"{each:+.1%}" for each in terms @ law / counted - 1))


def count_model(path: Path, *, core: str) -> Iterator[tuple[Terms, int]]:
    """Terms and instructions of each layer of a model by Winograd's kernel."""
    with TemporaryDirectory() as folder:
        engine = write_engine(path.read_bytes(), directory=Path(folder), core=core)
        model = engine.program.model
        inputs = draw_inputs(model, samples=1, seed=0)
        image = Path(folder) / "image"
        counts = count_layers(engine, inputs, directory=image, board=find_board(core))
    used = {step.op.index: step for step in engine.program.steps if "winograd" in step.layer.kernels}
    for count in counts:
        if count.op in used:
            op = used[count.op].op
            source, target = model.tensors[op.inputs[0]].shape, model.tensors[op.outputs[0]].shape
            steps = target[0] * -(-target[1] // 2) * -(-target[2] // 4)
            groups, blocks = -(-source[3] // 4), -(-target[3] // 4)
            terms = (steps, steps * groups, steps * blocks, steps * blocks * groups * 2)
            yield terms, count.instructions


if __name__ == "__main__":
    main()
