"""Holds `edgeprune check` against running each file: none called runnable fails, none that is refused runs.

    python scripts/audit_verdicts.py ../shared/models ../shared/cases --random 200

Every `.tflite` below the folders, and files converted from small random Keras models, is judged for a device
with TFLM and for one with LiteRT, and then fed to tflite-micro and tflite-runtime by a few lines of Python of
their own, without edgeprune. Where tflite-runtime refuses a file, TensorFlow's newer LiteRT is asked as well,
for the record. Exit 1 if a verdict and a runtime differ.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.device.profile import load_profile
from edgeprune.errors import EdgepruneError, InputError
from edgeprune.graph.layergraph import Array
from edgeprune.measuring.backend import backend_of
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.tflite.model import NUMPY_TYPES
from edgeprune.tflite.read import read_model

DEVICES = {"tflm": "cortex-m7", "litert": "raspberry-pi-4"}
SECONDS = 300
FEED = {
    "tflm": """
import sys, numpy as np
from tflite_micro import runtime
data = open(sys.argv[1], "rb").read(); x = np.load(sys.argv[2]); size = 1 << 18
while True:
    try: i = runtime.Interpreter.from_bytes(data, arena_size=size); break
    except RuntimeError:
        size *= 4
        if size > 1 << 30: raise
for k in range(len(x.files)): i.set_input(x[f"arr_{k}"], k)
i.invoke()
""",
    "litert": """
import sys, numpy as np
from tflite_runtime.interpreter import Interpreter
i = Interpreter(sys.argv[1]); i.allocate_tensors(); x = np.load(sys.argv[2])
for k, d in enumerate(i.get_input_details()): i.set_tensor(d["index"], x[f"arr_{k}"])
i.invoke()
""",
}
FEED["newer"] = FEED["litert"].replace("tflite_runtime.interpreter", "tensorflow.lite.python.interpreter")


def main() -> None:
    """Audit what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--random", type=int, default=200, help="files made of random models")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (*read_files(asked.folders), *make_files(asked.random, seed=asked.seed)):
            for runtime, device in DEVICES.items():
                fault = audit(name, data, runtime=runtime, device=device, folder=Path(folder), counts=counts)
                if fault:
                    faults += 1
                    print(f"{name}, {runtime}: {fault}", flush=True)
    for what, count in sorted(counts.items()):
        print(f"{what}: {count}")
    print(f"{faults} verdicts do not hold")
    sys.exit(1 if faults else 0)


def read_files(folders: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file below the folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*.tflite")):
            yield str(path.relative_to(folder.parent)), path.read_bytes()


def audit(name: str, data: bytes, *, runtime: str, device: str, folder: Path, counts: Counter[str]) -> str:
    """Why the verdict on a file does not hold, as a clause; "" where it does."""
    backend = backend_of(load_profile(device))
    try:
        measured = backend.measure(data, where=name)
    except InputError:
        counts[f"{runtime}: not a usable file"] += 1
        return ""
    except EdgepruneError as error:
        return f"no verdict: {error.message}"
    by_tables = backend.refuse(measured.model) is None
    failure = feed(data, runtime=runtime, folder=folder)
    if failure is None:
        counts[f"{runtime}: inputs that cannot be drawn"] += 1
        return ""
    if not (measured.unsupported or measured.invoked):
        counts[f"{runtime}: too large to be run by check, {'fails' if failure else 'runs'}"] += 1
        return ""
    verdict = "runnable" if not measured.unsupported else "refused"
    counts[f"{runtime}: {verdict}, {'fails' if failure else 'runs'}"] += 1
    if by_tables and measured.unsupported:
        counts[f"{runtime}: refused because it was run"] += 1
    if measured.unsupported and runtime == "litert" and feed(data, runtime="newer", folder=folder) == "":
        counts["litert: refused, runs in TensorFlow's newer LiteRT"] += 1
    if not measured.unsupported and failure:
        return f"called runnable, but {failure}"
    outside = any(tensor.is_outside for graph in measured.model.subgraphs for tensor in graph.tensors)
    if measured.unsupported and not failure and outside and runtime == "tflm":
        counts["tflm: refused, runs on other bytes than its weights"] += 1
        return ""
    if measured.unsupported and not failure:
        return f"refused, but runs: {measured.unsupported[0]}"
    return ""


def feed(data: bytes, *, runtime: str, folder: Path) -> str | None:
    """What a runtime says against a file, "" where it runs; None where nobody knows what to feed it."""
    model = read_model(data, where="the file")
    if any(tensor.dtype not in NUMPY_TYPES for tensor in model.inputs):
        return None
    (folder / "f.tflite").write_bytes(data)
    np.savez(folder / "x.npz", *(array[0] for array in draw_inputs(model, samples=1, seed=1)))
    child = subprocess.run(
        [sys.executable, "-c", FEED[runtime], str(folder / "f.tflite"), str(folder / "x.npz")],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    said = child.stderr.strip().splitlines()
    return "" if child.returncode == 0 else (said[-1] if said else f"it ended with {child.returncode}")


def make_files(count: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of files converted from random models, in every scheme in turn; half are rewritten."""
    if not count:
        return
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.tflite.rewriting.rewrite import in_ops_of
    from edgeprune.tflite.schemes import SCHEMES

    rng = np.random.default_rng(seed)
    names = list(SCHEMES)
    made = tried = 0
    while made < count:
        tried += 1
        model, x = draw_model(rng)
        scheme = names[tried % len(names)]
        try:
            data = convert(model, scheme=scheme, representative=[x])
        except EdgepruneError:
            continue  # a model that has no form in this scheme makes no file to judge
        made += 1
        if made % 2:  # as files for TFLM are written
            data = in_ops_of(data, runtime="tflm")
        layers = "-".join(type(layer).__name__ for layer in model.layers[1:])
        yield f"random {tried} {scheme} {layers}", data


def draw_model(rng: np.random.Generator) -> tuple[Any, Array]:
    """A random sequential model of two to five layers, and inputs for it."""
    import keras
    from keras import layers

    ends = ["relu", "tanh", "sigmoid", "softmax", "elu", "gelu", "silu", "hard_silu", "softplus"]

    def pick(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    kind = pick("vector", "sequence", "image", "words")
    shape = {"vector": (8,), "sequence": (10, 4), "image": (8, 8, 3), "words": (6,)}[str(kind)]
    inputs = keras.Input(shape, dtype="int32" if kind == "words" else "float32")
    x = layers.Embedding(20, 6)(inputs) if kind == "words" else inputs
    for _ in range(int(rng.integers(2, 6))):
        rank = len(x.shape) - 1
        anywhere = [
            layers.Dense(int(rng.integers(2, 9)), activation=pick(*ends)),
            layers.Activation(pick(*ends)),
            layers.LayerNormalization(),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.PReLU(),
            layers.UnitNormalization(),
        ]
        by_rank = {
            1: [layers.RepeatVector(3), layers.Reshape((-1, 1))],
            2: [
                layers.Conv1D(5, 3, padding="same", dilation_rate=int(rng.integers(1, 3))),
                layers.LSTM(4, return_sequences=True),
                layers.GRU(4),
                layers.Bidirectional(layers.LSTM(3)),
                layers.UpSampling1D(2),
                layers.GlobalMaxPooling1D(),
                layers.Conv1DTranspose(3, 3, strides=2, activation="relu"),
                layers.Flatten(),
            ],
            3: [
                layers.Conv2D(5, 3, padding="same", strides=int(rng.integers(1, 3))),
                layers.DepthwiseConv2D(3, padding="same"),
                layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation=pick("relu", None)),
                layers.UpSampling2D(2, interpolation=pick("nearest", "bilinear")),
                layers.MaxPooling2D(2, padding="same"),
                layers.AveragePooling2D(2, padding="same"),
                layers.GlobalAveragePooling2D(),
                layers.ZeroPadding2D(1),
                layers.Flatten(),
            ],
        }.get(rank, [])
        x = pick(*anywhere, *by_rank, *by_rank)(x)
    size = (12, *shape)
    given = rng.integers(0, 20, size) if kind == "words" else rng.normal(size=size)
    return keras.Model(inputs, x), given.astype("int32" if kind == "words" else "float32")


if __name__ == "__main__":
    main()
