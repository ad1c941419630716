"""Structured pruning of the architectures in `keras.applications`, with random weights: one row each.

    python scripts/bench_applications.py --output docs/figures/applications.json [--models MobileNet,VGG16]

Each model is pruned by `edgeprune prune --ratio 0.5 --scope local` in a process of its own, loaded again and
converted to int8. Seconds and memory are those beyond importing TensorFlow. The file has a row per model with
its commit and date; rows of other models stay. The documentation's table is made from it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.rows import find_commit, now
from documentation.markdown import table

MODELS = {
    "MobileNet": 0.6,
    "MobileNetV2": 0.6,
    "MobileNetV3Small": 0.6,
    "MobileNetV3Large": 0.6,
    "EfficientNetB0": 0.6,
    "EfficientNetV2B0": 0.6,
    "ResNet50": 0.6,
    "ResNet50V2": 0.6,
    "DenseNet121": 0.5,
    "InceptionV3": 0.6,
    "Xception": 0.6,
    "NASNetMobile": 0.5,
    "VGG16": 0.6,
    "ConvNeXtTiny": 0.6,
}
"""Name in `keras.applications` → the fraction of MACs that must go."""
LARGEST_ERROR = 1e-4
LARGEST_SECONDS = 60
LARGEST_MIB = 4096
HEADS = ("model", "params", "kept", "MMACs", "removed", "error", "int8 KiB", "seconds", "MiB", "holds")


def main() -> int:
    """Prints the table; returns 1 if a model misses what must hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("bench_applications.json"))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(prune_one(arguments.one)))
        return 0
    rows = read_rows(arguments.output)
    names = arguments.models.split(",")
    for name in names:
        rows[name] = run_one(name) | {"commit": find_commit(), "date": now()}
        print(*format_cells(rows[name]), sep="  ", flush=True)
        arguments.output.write_text(json.dumps(list(rows.values()), indent=2) + "\n", encoding="utf-8")
    print("\n" + format_table(list(rows.values())))
    return 0 if all(rows[name]["holds"] for name in names) else 1


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Model → its row in the file; nothing where there is no file."""
    if not path.exists():
        return {}
    return {row["model"]: row for row in json.loads(path.read_text("utf-8"))}


def run_one(name: str) -> dict[str, Any]:
    """The row of one model, from a process of its own."""
    command = [sys.executable, __file__, "--one", name]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        return {"model": name, "holds": False, "why": f"failed with exit code {run.returncode}"}
    row: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return row


def prune_one(name: str) -> dict[str, Any]:
    """Prunes, saves, loads and converts one model in this process; returns its row."""
    import resource
    import time

    import keras
    import numpy as np

    from edgeprune.commands.prune import prune
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.keras_bridge.loading.load import load_model
    from edgeprune.methods.ranking import Ranking
    from edgeprune.progress import Silent
    from edgeprune.prune.limits import Limits

    def peak_mib() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    with TemporaryDirectory() as folder:
        path, output = Path(folder, "model.keras"), Path(folder, "pruned.keras")
        keras.utils.set_random_seed(0)
        sized = {"input_shape": (224, 224, 3)} if name.startswith("MobileNetV3") else {}  # else any size
        getattr(keras.applications, name)(weights=None, **sized).save(path)
        keras.backend.clear_session()
        imported, started = peak_mib(), time.monotonic()
        result = prune(
            path,
            ratio=0.5,
            output=output,
            ranking=Ranking(criterion="l2", seed=0),
            limits=Limits(scope="local"),
            force=False,
            progress=Silent(),
        )
        smaller = load_model(output)
        shape = smaller.inputs[0].shape[1:]
        samples = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
        tflite = convert(smaller, scheme="int8", representative=(samples,))
        seconds, mib = time.monotonic() - started, peak_mib() - imported
    removed = 1 - result.macs_after / result.macs_before
    return {
        "model": name,
        "params_before": result.params_before,
        "params_after": result.params_after,
        "macs_before": result.macs_before,
        "macs_after": result.macs_after,
        "removed": removed,
        "error": result.error,
        "tflite_bytes": len(tflite),
        "seconds": seconds,
        "mib": mib,
        "holds": removed >= MODELS[name]
        and result.error <= LARGEST_ERROR
        and seconds <= LARGEST_SECONDS
        and mib <= LARGEST_MIB,
    }


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table, in Markdown."""
    return table(HEADS, [format_cells(row) for row in rows])


def format_cells(row: Mapping[str, Any]) -> list[str]:
    """One line of the table."""
    if "why" in row:
        return [row["model"], row["why"], *[""] * (len(HEADS) - 3), "no"]
    return [
        row["model"],
        f"{row['params_before'] / 1e6:.2f} M",
        f"{row['params_after'] / 1e6:.2f} M",
        f"{row['macs_before'] / 1e6:.0f}",
        f"{100 * row['removed']:.0f} %",
        f"{row['error']:.0e}",
        f"{row['tflite_bytes'] / 1024:.0f}",
        f"{row['seconds']:.0f}",
        f"{row['mib']:.0f}",
        "yes" if row["holds"] else "no",
    ]


if __name__ == "__main__":
    sys.exit(main())
