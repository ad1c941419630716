"""Prints what becomes of every Keras layer, operation and activation on TFLM, in int8.

    python scripts/keras_on_tflm.py [PATTERN…]

The layers and operations are the examples of `tests/graph/examples.py`, one model each; activations stand
between two dense layers. Each model gets random weights, is converted to int8, rewritten for TFLM, held
against the table of its ops, run in tflite-micro where that takes it, and compared with Keras in LiteRT.
Columns: error as a fraction of the outputs' range; what TFLM lacks, or what went wrong.
"""

import os
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import partial
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import keras
import numpy as np
from keras import layers

from edgeprune.errors import EdgepruneError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of

EXAMPLES = import_module("graph.examples").EXAMPLES
drawing = import_module("random_pruning")
SAMPLES = 40
_NO_ACTIVATIONS = ("get", "serialize", "deserialize")


def main() -> None:
    """Print a line for each model whose name fits one of the patterns."""
    patterns = sys.argv[1:] or ["*"]
    for name, make in (*EXAMPLES.items(), *list_activations()):
        if any(fnmatch(name, pattern) for pattern in patterns):
            print(f"{name:45} {describe(make)}", flush=True)


def list_activations() -> Iterator[tuple[str, Callable[[], keras.Model]]]:
    """Every function of `keras.activations`, between two dense layers."""
    for name, function in sorted(vars(keras.activations).items()):
        if callable(function) and not name.startswith("_") and name not in _NO_ACTIVATIONS:
            yield f"activation {name}", partial(activated, name)


def activated(name: str) -> keras.Model:
    """Dense → activation → dense."""
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation=name)(inputs)
    return keras.Model(inputs, layers.Dense(3)(x))


def describe(make: Callable[[], keras.Model]) -> str:
    """What becomes of a model."""
    rng = np.random.default_rng(0)
    try:
        model = make()
        drawing.randomise(model, rng)
        given = drawing.random_inputs(model, rng, samples=SAMPLES)
        file = in_ops_of(convert(model, scheme="int8", representative=given), runtime="tflm")
    except (EdgepruneError, ValueError) as error:
        return f"not converted: {' '.join(str(error).split())[:160]}"
    read = read_model(file, where=model.name)
    missing = dict.fromkeys(
        f"{op.op} {op.dtype}: {op.reason}" for op in unsupported_ops(read, runtime="tflm")
    )
    try:
        wanted = [np.asarray(a) for a in keras.tree.flatten(model.predict(given, verbose=0))]
        found = [a.values for a in run_litert(file, as_real(file, tuple(given))).outputs]
        worst = max(np.abs(a - b).max() / (np.ptp(a) or 1) for a, b in zip(wanted, found, strict=True))
        said = f"{worst:.3f}"
    except EdgepruneError as error:
        said = f"LiteRT: {error.message[:60]}"
    if missing:
        return f"{said}  TFLM LACKS {'; '.join(missing)}"
    try:
        run_tflm(file, tuple(array[:1] for array in as_real(file, tuple(given))))
    except EdgepruneError as error:
        return f"{said}  TFLM FAILS {error.message}"
    return said


if __name__ == "__main__":
    main()
