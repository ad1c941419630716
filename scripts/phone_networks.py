"""Rebuild the networks that phones were timed with; write the work of each into `scripts/phone_networks.csv`.

    python scripts/phone_networks.py ../shared/data [--write]

Needs torch, pytorchcv 0.0.74, whose models bear the names of `phone_latency.csv`, and transformers 5.24 for
the others. Nothing is computed: the models run on shapes alone. Batch normalization and ReLU after a
convolution are part of it, as a converter makes them; elsewhere a normalization is a MUL and an ADD, and that
of a layer eight ops. Transpositions from NCHW to NHWC, or in a product of matrices, are none. What neither
package has is named.
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
_SILENT = {
    *("view", "t", "_unsafe_view", "detach", "expand", "empty", "reshape", "split", "split_with_sizes"),
    *("clone", "_to_copy", "unsqueeze", "squeeze", "select", "arange", "ge", "lt", "ne", "eq", "index"),
    *("fill", "fill_", "zeros", "zero_", "copy_", "sub_", "div_", "new_zeros", "where", "full", "any"),
}
_ACTIVATIONS = ("relu", "relu_", "hardtanh", "hardtanh_", "clamp")
_NAMES = {
    "_softmax": "SOFTMAX",
    "_safe_softmax": "SOFTMAX",
    "sigmoid": "LOGISTIC",
    "gelu": "GELU",
    "tanh": "TANH",
    "bmm": "BATCH_MATMUL",
}
"""TFLite's names of the calls whose work depends on them."""

_MIT = [32, 64, 160, 256], [64, 128, 320, 512]
_TRANSFORMERS: dict[str, tuple[str, dict[str, Any], int]] = {
    **{
        f"vit-base-patch{patch}-{size}{more}": ("ViT", {"patch_size": patch, "image_size": size}, size)
        for patch in (16, 32)
        for size, more in ((224, "-in21k"), (384, ""))
    },
    **{f"deit-base-distilled-patch16-{size}": ("DeiT", {"image_size": size}, size) for size in (224, 384)},
    "deit-tiny-distilled-patch16-224": (
        "DeiT",
        {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768},
        224,
    ),
    **{
        f"swin-{name}": (
            "Swin",
            {
                "image_size": size,
                "embed_dim": width,
                "depths": [2, 2, depth, 2],
                "num_heads": [width // 32 * times for times in (1, 2, 4, 8)],
                "window_size": window,
            },
            size,
        )
        for name, width, depth, window, size in (
            ("tiny-patch4-window7-224", 96, 6, 7, 224),
            ("small-patch4-window7-224", 96, 18, 7, 224),
            ("base-patch4-window7-224", 128, 18, 7, 224),
            ("base-patch4-window12-384", 128, 18, 12, 384),
        )
    },
    **{
        f"mit-b{at}": ("Segformer", {"depths": depths, "hidden_sizes": _MIT[at > 0]}, 224)
        for at, depths in enumerate(
            ([2, 2, 2, 2], [2, 2, 2, 2], [3, 4, 6, 3], [3, 4, 18, 3], [3, 8, 27, 3], [3, 6, 40, 3])
        )
    },
    **{
        f"cvt-{name}": ("Cvt", {"depth": depth}, size)
        for name, depth, size in (
            ("13", [1, 2, 10], 224),
            ("13-384", [1, 2, 10], 384),
            ("21", [1, 4, 16], 224),
            ("21-384", [1, 4, 16], 384),
        )
    },
    "mobilevit-small": ("MobileViT", {}, 256),
    "mobilevit-x-small": (
        "MobileViT",
        {"hidden_sizes": [96, 120, 144], "neck_hidden_sizes": [16, 32, 48, 64, 80, 96, 384]},
        256,
    ),
    "mobilevit-xx-small": (
        "MobileViT",
        {
            "hidden_sizes": [64, 80, 96],
            "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320],
            "expand_ratio": 2.0,
        },
        256,
    ),
}
"""Transformers: their class, what differs from its configuration, and the size of their images."""


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
        if name in _SILENT or (name in ("permute", "transpose") and _moves_nothing(name, shapes[0], out)):
            continue
        is_normalization = "batch_norm" in name
        follows = before == "convolution" or (before == "normalized" and not is_normalization)
        if name == "convolution":
            yield _convolution(shapes, out, groups)
        elif name in ("addmm", "mm"):
            source = shapes[-2]
            yield OpShape(op="FULLY_CONNECTED", inputs=(source,), output=out, filter=(out[-1], source[-1]))
        elif "layer_norm" in name:
            row = (*out[:-1], 1)
            yield from (OpShape(op="MEAN", inputs=(out,), output=row) for _ in range(2))
            yield OpShape(op="RSQRT", inputs=(row,), output=row)
            for op in ("SQUARED_DIFFERENCE", "MUL", "MUL", "SUB", "ADD"):
                yield OpShape(op=op, inputs=(out,), output=out)
        elif is_normalization and not follows:
            yield from (OpShape(op=op, inputs=(out,), output=out) for op in ("MUL", "ADD"))
        elif is_normalization or (name in _ACTIVATIONS and (follows or before in ("add", "add_"))):
            pass
        elif name == "silu":
            yield OpShape(op="LOGISTIC", inputs=(out,), output=out)
            yield OpShape(op="MUL", inputs=(out, out), output=out)
        else:
            yield OpShape(op=_NAMES.get(name, name.upper()), inputs=tuple(shapes) or (out,), output=out)
        before = "normalized" if is_normalization and follows else name


def _moves_nothing(name: str, before: Shape, after: Shape) -> bool:
    """Whether a transposition is not in the file: of images to rows, or of the matrix of a product."""
    return len(after) < 4 or (name == "transpose" and len(after) == 4 and before[:2] == after[:2])


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
    """The ops of a network, None where it is not known how to build it."""
    from pytorchcv.model_provider import get_model  # type: ignore[import-not-found]

    size = 224
    if name in _TRANSFORMERS:
        network, size = _transformer(name)
    else:
        try:
            network = get_model(name).eval().to("meta")
        except ValueError:
            return None
    with torch.no_grad(), _Recorder() as recorder:
        network(torch.empty(1, 3, size, size, device="meta"))
    return list(list_ops(recorder.calls))


def _transformer(name: str) -> tuple[Any, int]:
    import transformers  # type: ignore[import-not-found]

    kind, changes, size = _TRANSFORMERS[name]
    if kind in ("ViT", "DeiT"):
        changes = {**changes, "attn_implementation": "eager"}
    configuration = getattr(transformers, f"{kind}Config")(**changes)
    teacher = "WithTeacher" if kind == "DeiT" else ""
    with torch.device("meta"):
        network = getattr(transformers, f"{kind}ForImageClassification{teacher}")(configuration)
    return network.eval(), size


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
