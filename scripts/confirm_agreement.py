"""Confirms `edgeprune agree` by feeding two runtimes directly, without edgeprune.

    python scripts/confirm_agreement.py [FILE.tflite…]

Looked at are an attention model and an LSTM, made here, and what the command line names: files with scalar
inputs, say, or with resource variables. Each is fed the same inputs in TensorFlow's reference kernels and in
tflite-micro, sample by sample, with variables reset before each; what is kept in resources goes on from
sample to sample. Exit 1 if these two contradict what `agree` says of TFLM: whether it is within a step.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from edgeprune.api import agree
from edgeprune.graph.layergraph import Array
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.tflite.read import read_model

SAMPLES = 20
FEED = {
    "TensorFlow's reference kernels": """
import sys, numpy as np
import tensorflow as tf
kind = tf.lite.experimental.OpResolverType.BUILTIN_REF
i = tf.lite.Interpreter(sys.argv[1], experimental_op_resolver_type=kind); i.allocate_tensors()
x = np.load(sys.argv[2]); reset = sys.argv[4] == "reset"; found = []
for n in range(int(sys.argv[5])):
    if reset: i.reset_all_variables()
    for k, d in enumerate(i.get_input_details()): i.set_tensor(d["index"], x[f"arr_{k}"][n])
    i.invoke(); found.append([i.get_tensor(d["index"]) for d in i.get_output_details()])
np.savez(sys.argv[3], *(np.stack(o) for o in zip(*found)))
""",
    "tflite-micro": """
import sys, numpy as np
from tflite_micro import runtime
data = open(sys.argv[1], "rb").read(); x = np.load(sys.argv[2]); size = 1 << 18
while True:
    try: i = runtime.Interpreter.from_bytes(data, arena_size=size); break
    except RuntimeError:
        size *= 4
        if size > 1 << 28: raise
found = []; outputs = int(sys.argv[6])
for n in range(int(sys.argv[5])):
    if sys.argv[4] == "reset": i.reset()
    for k in range(len(x.files)): i.set_input(x[f"arr_{k}"][n], k)
    i.invoke(); found.append([np.array(i.get_output(k)) for k in range(outputs)])
np.savez(sys.argv[3], *(np.stack(o) for o in zip(*found)))
""",
}


def main() -> None:
    """Confirm what is said of each file."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        given = ((Path(name).name, Path(name).read_bytes()) for name in sys.argv[1:])
        for name, data in (*make_files(), *given):
            said, steps = agree(data, samples=SAMPLES), measure(data, folder=Path(folder))
            row = said.comparison.tflm
            holds = row is not None and row.ok == (steps <= 1)
            wrong += not holds
            found = f"{steps} steps" if steps < np.iinfo(np.int32).max else "more than rounding"
            print(f"{name}: {said.sentence} Fed directly: {found}. {'' if holds else 'WRONG'}", flush=True)
    sys.exit(1 if wrong else 0)


def make_files() -> Iterator[tuple[str, bytes]]:
    """int8 files of small models."""
    import keras
    from keras import layers

    from edgeprune.keras_bridge.conversion.convert import convert

    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 8))
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 6)(inputs, inputs))
    attention = keras.Model(inputs, layers.Dense(3)(layers.Dense(16, activation="gelu")(x)))
    recurrent = keras.Model(inputs, layers.Dense(3)(layers.LSTM(10)(inputs)))
    given = [np.random.default_rng(0).normal(size=(60, 12, 8)).astype(np.float32)]
    from edgeprune.tflite.rewriting.rewrite import in_ops_of

    for name, model in (("attention", attention), ("LSTM", recurrent)):
        yield name, in_ops_of(convert(model, scheme="int8", representative=given), runtime="tflm")


def measure(data: bytes, *, folder: Path) -> int:
    """The largest difference between the two, in steps of integers; of floats 0 within 1e-5, else no end."""
    model = read_model(data, where="the file")
    state = "keep" if model.has_resources or not model.is_stateful else "reset"
    (folder / "f.tflite").write_bytes(data)
    inputs = draw_inputs(model, samples=SAMPLES, seed=0)
    np.savez(folder / "x.npz", *inputs)
    found: list[list[Array]] = []
    for code in FEED.values():
        arguments = [folder / "f.tflite", folder / "x.npz", folder / "y.npz", state, SAMPLES]
        command = [sys.executable, "-c", code, *map(str, arguments), str(len(model.outputs))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with np.load(folder / "y.npz") as file:
            found.append([file[f"arr_{k}"] for k in range(len(model.outputs))])
    return max(_differ(a, b.reshape(a.shape)) for a, b in zip(*found, strict=True))


def _differ(one: Array, other: Array) -> int:
    if one.dtype.kind == "f":
        close = np.allclose(one, other, rtol=1e-5, atol=1e-5)
        return 0 if close else int(np.iinfo(np.int32).max)
    return int(np.abs(one.astype(np.int64) - other.astype(np.int64)).max(initial=0))


if __name__ == "__main__":
    main()
