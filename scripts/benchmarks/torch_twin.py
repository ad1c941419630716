"""A Keras model's weights in PyTorch and back, so that Torch-Pruning can cut it; needs `torch`.

    Keras model ─trace→ LayerGraph ─make_twin→ Twin ─(Torch-Pruning)→ narrower Twin
      ─read_back→ LayerGraph with its weights ─rebuild→ narrower Keras model

Channels come first in PyTorch, kernels are (outputs, inputs, height, width), and "same" padding is that of
TensorFlow: what is left over stands at the end.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgeprune.graph.layergraph import Array, Layer, LayerGraph, Weights

TOLERANCE = 1e-4
"""Largest difference of both models' outputs, which are probabilities."""


class Twin(nn.Module):  # type: ignore[misc, unused-ignore]  # mypy may run where there is no torch
    """The calls of a layer graph; its output is that of the last layer before its softmax."""

    def __init__(self, graph: LayerGraph) -> None:
        """The graph's layers with its weights."""
        super().__init__()
        self.graph = graph
        self.layers = nn.ModuleDict({_key(name): make_module(layer) for name, layer in graph.layers.items()})

    def forward(self, x: Any) -> Any:
        """Logits (samples, classes) of float inputs (samples, channels, height, width)."""
        tensors = {self.graph.inputs[0]: x}
        for node in self.graph.nodes:
            inputs = [tensors[name] for name in node.inputs]
            tensors[node.outputs[0]] = self.layers[_key(node.layer)](*inputs)
        return tensors[self.graph.outputs[0]]

    def predict(self, x: Array) -> Array:
        """Probabilities of (samples, height, width, channels) inputs."""
        self.eval()
        with torch.no_grad():
            outputs: Array = functional.softmax(self(to_torch(x)), dim=1).numpy()
        return outputs

    @property
    def classifier(self) -> Any:
        """The module that makes the output; its channels are the classes."""
        return self.layers[_key(self.graph.nodes[-1].layer)]


def make_twin(graph: LayerGraph, *, probe: Array, expected: Array) -> Twin:
    """The twin of a model, proven on a few inputs.

    Args:
        graph: of the model.
        probe: inputs.
        expected: the model's outputs for them.

    Raises:
        ValueError: a layer is not known here, or outputs differ by more than `TOLERANCE`.
    """
    twin = Twin(graph)
    error = float(np.abs(twin.predict(probe) - expected).max())
    if not error <= TOLERANCE:
        raise ValueError(f"the model in PyTorch differs from the one in Keras by {error:.1e}")
    return twin


def read_back(twin: Twin) -> LayerGraph:
    """The twin's graph with the weights that it has now, and configs that say how wide layers are."""
    layers = {}
    for name, layer in twin.graph.layers.items():
        weights = _READERS.get(layer.kind, _read_nothing)(twin.layers[_key(name)], layer)
        layers[name] = replace(layer, weights=weights or layer.weights, config=_widen(layer, weights))
    return replace(twin.graph, layers=layers)


def to_torch(x: Array) -> Any:
    """(samples, height, width, channels) → float (samples, channels, height, width)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x.astype(np.float32), -1, 1)))


def make_module(layer: Layer) -> Any:
    """What stands for a layer in PyTorch. Raises ValueError for one that is not known here."""
    if layer.kind not in _MAKERS:
        raise ValueError(f"{layer.name}: {layer.kind} is not known here (known: {', '.join(_MAKERS)})")
    return _MAKERS[layer.kind](layer)


class _SamePadding(nn.Module):  # type: ignore[misc, unused-ignore]
    """A convolution with padding as TensorFlow has it."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Any) -> Any:
        sides: list[int] = []
        for size, kernel, stride in zip(x.shape[2:], self.conv.kernel_size, self.conv.stride, strict=True):
            missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            sides = [missing // 2, missing - missing // 2, *sides]  # the last axis comes first
        return self.conv(functional.pad(x, sides) if any(sides) else x)


class _Call(nn.Module):  # type: ignore[misc, unused-ignore]
    """A function without weights."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def _make_conv(layer: Layer) -> Any:
    kernel = layer.weights["kernel"]
    depthwise = layer.kind == "DepthwiseConv2D"
    outputs = kernel.shape[2] if depthwise else kernel.shape[3]
    _require_linear(layer)
    conv = nn.Conv2d(
        kernel.shape[2],
        outputs,
        kernel.shape[:2],
        stride=tuple(layer.config["strides"]),
        groups=outputs if depthwise else 1,
        bias="bias" in layer.weights,
    )
    _fill(conv, weight=np.transpose(kernel, (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
    if "bias" in layer.weights:
        _fill(conv, bias=layer.weights["bias"])
    return _SamePadding(conv) if layer.config["padding"] == "same" else conv


def _make_norm(layer: Layer) -> Any:
    weights = layer.weights
    norm = nn.BatchNorm2d(len(weights["moving_mean"]), eps=layer.config["epsilon"])
    _fill(norm, running_mean=weights["moving_mean"], running_var=weights["moving_variance"])
    if "gamma" in weights:
        _fill(norm, weight=weights["gamma"])
    if "beta" in weights:
        _fill(norm, bias=weights["beta"])
    return norm


def _make_dense(layer: Layer) -> Any:
    kernel = layer.weights["kernel"]
    if layer.config["activation"] not in ("softmax", "linear"):
        raise ValueError(f"{layer.name}: a Dense layer within the model is not known here")
    dense = nn.Linear(*kernel.shape, bias="bias" in layer.weights)
    _fill(dense, weight=kernel.T)
    if "bias" in layer.weights:
        _fill(dense, bias=layer.weights["bias"])
    return dense


def _make_normalization(layer: Layer) -> Any:
    mean, variance = (np.ravel(layer.config[name]).astype(np.float32) for name in ("mean", "variance"))
    if len(mean) != 1:
        raise ValueError(f"{layer.name}: one mean for each channel is not known here")
    return _Call(lambda x: (x - float(mean[0])) / float(np.sqrt(variance[0])))


def _make_pooling(layer: Layer) -> Any:
    return nn.AvgPool2d(tuple(layer.config["pool_size"]), stride=tuple(layer.config["strides"]))


def _make_activation(layer: Layer) -> Any:
    if layer.kind == "Activation" and layer.config["activation"] != "relu":
        raise ValueError(f"{layer.name}: activation {layer.config['activation']} is not known here")
    return nn.ReLU()


def _require_linear(layer: Layer) -> None:
    if layer.config["activation"] != "linear":
        raise ValueError(f"{layer.name}: an activation inside a convolution is not known here")


_MAKERS: Mapping[str, Callable[[Layer], Any]] = {
    "Activation": _make_activation,
    "Add": lambda layer: _Call(torch.add),
    "AveragePooling2D": _make_pooling,
    "BatchNormalization": _make_norm,
    "Conv2D": _make_conv,
    "Dense": _make_dense,
    "DepthwiseConv2D": _make_conv,
    "Dropout": lambda layer: nn.Identity(),
    "Flatten": lambda layer: nn.Flatten(),
    "GlobalAveragePooling2D": lambda layer: _Call(lambda x: x.mean((2, 3))),
    "Normalization": _make_normalization,
    "ReLU": _make_activation,
}


def _read_conv(module: Any, layer: Layer) -> Weights:
    conv = module.conv if isinstance(module, _SamePadding) else module
    order = (2, 3, 0, 1) if layer.kind == "DepthwiseConv2D" else (2, 3, 1, 0)
    weights = {"kernel": np.transpose(_array(conv.weight), order)}
    return weights | ({"bias": _array(conv.bias)} if conv.bias is not None else {})


def _read_norm(module: Any, layer: Layer) -> Weights:
    found = {
        "gamma": module.weight,
        "beta": module.bias,
        "moving_mean": module.running_mean,
        "moving_variance": module.running_var,
    }
    return {name: _array(found[name]) for name in layer.weights}


def _read_dense(module: Any, layer: Layer) -> Weights:
    weights = {"kernel": _array(module.weight).T}
    return weights | ({"bias": _array(module.bias)} if module.bias is not None else {})


def _read_nothing(module: Any, layer: Layer) -> Weights:
    return {}


_READERS: Mapping[str, Callable[[Any, Layer], Weights]] = {
    "BatchNormalization": _read_norm,
    "Conv2D": _read_conv,
    "Dense": _read_dense,
    "DepthwiseConv2D": _read_conv,
}


def _widen(layer: Layer, weights: Weights) -> Mapping[str, Any]:
    if layer.kind == "Conv2D":
        return {**layer.config, "filters": int(weights["kernel"].shape[3])}
    return layer.config


def _fill(module: Any, **arrays: Array) -> None:
    for name, array in arrays.items():
        with torch.no_grad():
            getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)))


def _array(tensor: Any) -> Array:
    array: Array = np.ascontiguousarray(tensor.detach().numpy())
    return array


def _key(name: str) -> str:
    return "layer_" + name.replace(".", "_").replace("/", "_")
