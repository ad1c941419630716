"""Rebuild the networks that phones were timed with; write the work of each into `scripts/phone_networks.csv`.

    python scripts/phone_networks.py ../shared/data [--write]

Needs torch and pytorchcv 0.0.74, whose models bear the names of `phone_latency.csv`. Nothing is computed:
the models run on shapes alone. Batch normalization and ReLU after a convolution are part of it, as a
converter makes them; elsewhere a normalization is a MUL and an ADD. What pytorchcv does not have is named.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from edgeprune.device.kernels.work import WORK, count_work
from edgeprune.graph.opshape import OpShape, Shape

NETWORKS = Path(__file__).parent / "phone_networks.csv"
_SILENT = ("view", "t", "_unsafe_view", "detach", "expand", "empty", "reshape", "split", "clone", "_to_copy")
_ACTIVATIONS = ("relu", "relu_", "hardtanh", "hardtanh_", "clamp")


class _Anything(ModuleType):
    """Stands for torchvision, which pytorchcv imports for models that are not asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Recorder(TorchDispatchMode):  # type: ignore[misc]
    """Writes down what a model calls: name, shapes in, shape out, groups."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[Shape], Shape, int]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        name, first = function.overloadpacket.__name__, out[0] if isinstance(out, tuple | list) else out
        if hasattr(first, "shape"):
            tensors = [a for arg in args for a in (arg if isinstance(arg, list) else [arg])]
            shapes = [tuple(a.shape) for a in tensors if hasattr(a, "shape")]
            self.calls.append((name, shapes, tuple(first.shape), args[-1] if name == "convolution" else 1))
        return out


def list_ops(calls: list[tuple[str, list[Shape], Shape, int]]) -> Iterator[OpShape]:
    """The ops that a converter makes of a model's calls."""
    before = ""
    for name, shapes, out, groups in calls:
        if name in _SILENT:
            continue
        is_normalization = "batch_norm" in name
        follows = before == "convolution" or (before == "normalized" and not is_normalization)
        if name == "convolution":
            yield _convolution(shapes, out, groups)
        elif name == "addmm":
            depth = shapes[1][1]
            yield OpShape(op="FULLY_CONNECTED", inputs=((1, depth),), output=out, filter=(out[1], depth))
        elif is_normalization and not follows:
            yield from (OpShape(op=op, inputs=(out,), output=out) for op in ("MUL", "ADD"))
        elif is_normalization or (name in _ACTIVATIONS and (follows or before in ("add", "add_"))):
            pass
        else:
            yield OpShape(op=name.upper(), inputs=tuple(shapes) or (out,), output=out)
        before = "normalized" if is_normalization and follows else name


def _convolution(shapes: list[Shape], out: Shape, groups: int) -> OpShape:
    channels, depth, height, width = shapes[1]
    is_depthwise = groups > 1 and depth == 1 and groups == shapes[0][1]
    return OpShape(
        op="DEPTHWISE_CONV_2D" if is_depthwise else "CONV_2D",
        inputs=(_channels_last(shapes[0]),),
        output=_channels_last(out),
        filter=(1, height, width, channels) if is_depthwise else (channels, height, width, depth),
    )


def _channels_last(shape: Shape) -> Shape:
    return (shape[0], *shape[2:], shape[1])


def rebuild(name: str) -> list[OpShape] | None:
    """The ops of a network, None where pytorchcv does not have it."""
    from pytorchcv.model_provider import get_model  # type: ignore[import-not-found]

    try:
        network = get_model(name).eval().to("meta")
    except ValueError:
        return None
    with torch.no_grad(), _Recorder() as recorder:
        network(torch.empty(1, 3, 224, 224, device="meta"))
    return list(list_ops(recorder.calls))


def main() -> None:
    """Rebuild every network of the table of latencies, and write their work if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    for name in ("torchvision", "torchvision.ops", "torchvision.transforms", "torchvision.models"):
        sys.modules.setdefault(name, _Anything(name))
    text = (arguments.data / "phone_latency.csv").read_text(encoding="utf-8")
    lines = [line for line in csv.DictReader(text.splitlines()) if line["runtime"].startswith("TFLite 2.")]
    rows = []
    for name in sorted({line["model"] for line in lines if line["family"] != "synthetic NAS"}):
        ops = rebuild(name)
        if ops is None:
            print(f"{name}: not rebuilt")
            continue
        work: dict[str, float] = defaultdict(float)
        for op in ops:
            for kind, amount in count_work(op).items():
                work[kind] += amount
        rows.append({"model": name, **{kind: int(work[kind]) for kind in WORK}})
        published = next(float(line["macs"]) for line in lines if line["model"] == name)
        macs = sum(op.macs for op in ops)
        print(f"{name}: {macs / 1e6:.0f} M MACs, published {published / 1e6:.0f}")
    if arguments.write:
        with NETWORKS.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["model", *WORK], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
