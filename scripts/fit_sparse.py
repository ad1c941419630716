"""Fit the laws of `edgeprune/firmware/c/sparse.py`: instructions of dense and of sparse kernels.

    python scripts/fit_sparse.py MODEL.tflite... --core Cortex-M7

Compiles each model twice, with dense and with sparse weights, counts every layer in the emulator, and prints
what `Pace` needs, with the mean and the largest error of a layer. Models with and without zeros are needed.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c import sparse
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.tflite.model import constant_values

Floats = NDArray[np.float64]
Row = tuple[tuple[int, int, int], int]
"""Products, outputs and inputs of a layer, and its instructions."""


def main() -> None:
    """Prints the laws of one core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--core", required=True)
    arguments = parser.parse_args()
    rows: dict[str, list[Row]] = defaultdict(list)
    for path in arguments.models:
        for weights in ("dense", "sparse"):
            for kind, row in count_model(path, core=arguments.core, weights=weights):
                rows[f"{weights} {kind}"].append(row)
    for name, counted in rows.items():
        terms = np.array([row[0] for row in counted], float)
        instructions = np.array([row[1] for row in counted], float)
        pace, errors = fit(terms, instructions)
        text = ", ".join(f"{each:.2f}" for each in pace)
        print(f"{arguments.core} {name}: {text}; error {errors.mean():.1%}, at most {errors.max():.1%}")


def count_model(path: Path, *, core: str, weights: str) -> list[tuple[str, Row]]:
    """("windows" or "rows", its row) of each convolution and matrix of a model."""
    force = weights == "sparse"
    sparse.is_better = lambda *_, **__: force
    found = []
    with TemporaryDirectory() as folder:
        engine = write_engine(path.read_bytes(), directory=Path(folder), core=core)
        model = engine.program.model
        counts = count_layers(
            engine,
            draw_inputs(model, samples=1, seed=0),
            directory=Path(folder) / "image",
            board=find_board(core),
        )
    for count in counts:
        if count.name not in ("CONV_2D", "FULLY_CONNECTED"):
            continue
        op = model.ops[count.op]
        values = constant_values(model.tensors[op.inputs[1]], where=str(path))
        channels = values.shape[0]
        depth = values.size // channels
        pixels = model.tensors[op.outputs[0]].elements // channels
        kind = "windows" if pixels > 1 else "rows"
        stored = np.count_nonzero(values) if force else values.size
        if force and kind == "windows":
            pixels = -(-pixels // 8) * 8
        inputs = pixels * depth if kind == "windows" else 0
        found.append((kind, ((pixels * stored, pixels * channels, inputs), count.instructions)))
    return found


def fit(terms: Floats, instructions: Floats) -> tuple[Floats, Floats]:
    """What each term takes, none of them less than 0, and the relative error of each row."""
    used = list(range(terms.shape[1]))
    while True:
        pace = np.zeros(terms.shape[1])
        scaled = terms[:, used] / instructions[:, None]
        pace[used] = np.linalg.lstsq(scaled, np.ones(len(terms)), rcond=None)[0]
        if pace.min() >= 0:
            return pace, abs(terms @ pace / instructions - 1)
        used.remove(int(pace.argmin()))


if __name__ == "__main__":
    main()
