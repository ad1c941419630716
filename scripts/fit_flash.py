"""Turn linked image sizes into `edgeprune/device/tables/flash.json`.

    python scripts/fit_flash.py ../shared/data/tflm_op_flash.csv [--write]

Ops that are linked together share code, so their bytes do not add up. The law is: the first op costs what
it costs alone, each further one the same less `shared_bytes`, and nothing if it is smaller. `shared_bytes`
is fitted per build to the op sets that were linked whole; the error on those sets is printed and stored.
"""

import argparse
import csv
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from edgeprune.device.flash import add_code

TABLE = Path(__file__).resolve().parents[1] / "edgeprune" / "device" / "tables" / "flash.json"
INT8_BUILD = "m4f_o3_int8reg"


def builtin_name(method: str) -> str:
    """TFLite's name of the op that a resolver method adds: "Conv2D" is "CONV_2D"."""
    odd = {
        "Conv2D": "CONV_2D",
        "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
        "AveragePool2D": "AVERAGE_POOL_2D",
        "MaxPool2D": "MAX_POOL_2D",
        "TransposeConv": "TRANSPOSE_CONV",
        "UnidirectionalSequenceLSTM": "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
    return odd.get(method) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method).upper()


def worst_error(shared: int, ops: Mapping[str, int], sets: Mapping[tuple[str, ...], int]) -> float:
    """Largest relative error of the law on the sets that were linked whole."""
    return max(abs(add_code([ops[op] for op in names], shared) / true - 1) for names, true in sets.items())


def build_table(path: Path) -> dict[str, dict[str, object]]:
    """Every build's table, as it is written to JSON."""
    ops: dict[str, dict[str, int]] = defaultdict(dict)
    sets: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    baseline: dict[str, int] = {}
    flags: dict[str, str] = {}
    for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        build, item, size = line["build"], line["item"], int(line["bytes"])
        flags[build] = line["flags"]
        if item.startswith("_baseline"):
            baseline[build] = size
        elif ":" in item:
            names = item.split(":")[1].split(",")
            sets[build][tuple(builtin_name(name.strip()) for name in names)] = size
        elif not item.endswith("set"):
            ops[build][builtin_name(item)] = size
    table: dict[str, dict[str, object]] = {}
    for build in baseline:
        shared = min(range(0, 20000, 20), key=lambda s: worst_error(s, ops[build], sets[build]))
        table[build] = {
            "flags": flags[build],
            "baseline_bytes": baseline[build],
            "shared_bytes": shared,
            "error": round(worst_error(shared, ops[build], sets[build]), 4),
            "ops": ops[build],
        }
    # The int8-only registrations were linked for one build and a few ops; the others stay as they are.
    int8 = ops["m4f_o3"] | ops[INT8_BUILD]
    shared = min(range(0, 20000, 20), key=lambda s: worst_error(s, int8, sets[INT8_BUILD]))
    table["m4f_o3"]["int8"] = {
        "shared_bytes": shared,
        "error": round(worst_error(shared, int8, sets[INT8_BUILD]), 4),
        "ops": ops[INT8_BUILD],
    }
    return table


def main() -> None:
    """Fit, print the errors, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    table = build_table(arguments.data)
    for build, entry in table.items():
        print(f"{build:12} shared {entry['shared_bytes']:6} bytes, error on whole sets {entry['error']:.1%}")
        if "int8" in entry:
            print(f"{'  int8 only':12} {entry['int8']}")
    if arguments.write:
        TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
