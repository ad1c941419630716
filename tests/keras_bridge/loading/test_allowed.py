"""The table of names is complete: all that models are made of, nothing that opens files or runs code."""

import inspect
import json
from importlib import import_module
from typing import Any

import keras
import pytest
from graph.examples import EXAMPLES
from keras import layers

from edgeprune.keras_bridge.loading.allowed import ALLOWED, kinds_of
from edgeprune.keras_bridge.loading.named_objects import CODE_CLASSES, Names, find_foreign_object

PUBLIC = {
    "keras.layers": {"Layer", "InputSpec", "Wrapper", *CODE_CLASSES},
    "keras.activations": set(),
    "keras.initializers": {"Initializer"},
    "keras.regularizers": {"Regularizer"},
    "keras.constraints": {"Constraint"},
    "keras.losses": {"Loss"},
    "keras.metrics": {"Metric"},
    "keras.optimizers": {"Optimizer", "OptimizerMap"},
    "keras.optimizers.schedules": {"LearningRateSchedule"},
    "keras.quantizers": {"Quantizer", "QuantizationConfig"},
    "keras.dtype_policies": set(),
    "keras.random": set(),
}
"""Module of Keras → what of it no file may name: bases that compute nothing, and what runs code."""

NO_PARTS = {"get", "serialize", "deserialize"}
MODULES_OF_FUNCTIONS = ("keras.activations", "keras.losses", "keras.metrics")

REQUIRED: dict[str, Any] = {
    "activation": "relu",
    "alpha": 0.2,
    "axes": 1,
    "bin_boundaries": [0.0, 1.0],
    "cell": layers.LSTMCell(2),
    "cells": [layers.LSTMCell(2)],
    "crop_to_aspect_ratio": False,
    "depth_multiplier": 1,
    "dims": (1,),
    "equation": "ab,bc->ac",
    "factor": 0.1,
    "filters": 2,
    "head_dim": 2,
    "height": 4,
    "input_dim": 3,
    "kernel_size": 1,
    "key_dim": 2,
    "layer": layers.LSTM(2, return_sequences=True),
    "layers": [layers.Dense(2)],
    "max_number": 3,
    "max_tokens": 5,
    "n": 2,
    "num_bins": 4,
    "num_heads": 2,
    "num_key_value_heads": 1,
    "num_query_heads": 2,
    "num_tokens": 4,
    "output_dim": 2,
    "output_shape": (2,),
    "output_size": 2,
    "rate": 0.1,
    "scale": 2.0,
    "stddev": 0.1,
    "target_shape": (2, 2),
    "units": 2,
    "width": 4,
}
"""An argument that some class needs → a value that it takes."""


def classes(module: str) -> list[type]:
    listed = [row for row in ALLOWED if row.place == module]
    found = vars(import_module(module))
    return [found[n] for row in listed for n in row.names.split() if isinstance(found.get(n), type)]


def make(cls: type) -> Any:
    parameters = inspect.signature(cls).parameters.values()
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return cls(**{name: REQUIRED[name] for name in needed})


@pytest.mark.parametrize("module", PUBLIC)
def test_everything_public_is_allowed_or_known_to_be_no_part_of_a_file(module: str) -> None:
    """Where a new Keras adds something, somebody decides."""
    for name, value in vars(import_module(module)).items():
        is_part = isinstance(value, type) or (
            module in MODULES_OF_FUNCTIONS and inspect.isfunction(value) and name not in NO_PARTS
        )
        if is_part and not name.startswith("_"):
            assert bool(kinds_of(module, name)) != (name in PUBLIC[module]), name


NO_OPERATIONS = {"Operation", "SegmentReduction", "JVP"}
"""Bases, and the one that calls a function of Python."""


@pytest.mark.parametrize("module", sorted({row.place for row in ALLOWED if row.kind == "operation"}))
def test_so_is_every_operation(module: str) -> None:
    for name, value in vars(import_module(module)).items():
        if isinstance(value, type) and issubclass(value, keras.Operation):
            assert bool(kinds_of(module, name)) != (name in NO_OPERATIONS), name


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.place)
def test_nothing_in_it_takes_a_path(row) -> None:
    for cls in classes(row.place):
        takes = {
            name
            for name in inspect.signature(cls).parameters
            if name.endswith(("path", "file", "dir", "url"))
        }
        assert not takes, cls


@pytest.mark.parametrize("row", ALLOWED, ids=lambda row: row.place)
def test_each_name_is_one_of_keras(row) -> None:
    """Of some version that pyproject.toml allows."""
    found = vars(import_module(row.place))
    names = row.names.split()
    assert any(name in found for name in names)
    assert all(kinds_of(row.place, name) >= {row.kind} for name in names if name in found)


MADE = (
    "keras.layers",
    "keras.initializers",
    "keras.regularizers",
    "keras.constraints",
    "keras.losses",
    "keras.metrics",
    "keras.optimizers",
)


@pytest.mark.parametrize("module", MADE)
def test_what_keras_writes_of_it_is_let_through(module: str) -> None:
    made = 0
    for cls in dict.fromkeys(classes(module)):
        try:
            instance = make(cls)
        except (KeyError, TypeError, ValueError):  # takes more than its arguments tell
            continue
        config = keras.saving.serialize_keras_object(instance)
        assert find_foreign_object(config, Names()) is None, cls
        made += 1
    assert made > 0.75 * len(classes(module))


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")  # deprecated
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_so_is_a_model_with_each_layer_and_operation() -> None:
    refused = []
    for name, make_example in EXAMPLES.items():
        config = json.loads(make_example().to_json())
        if find_foreign_object(config, Names()) is not None:
            refused.append(name)
    assert refused == ["Lambda"]


@pytest.mark.parametrize(
    "name", [name for row in ALLOWED if row.kind == "activation" for name in row.names.split()]
)
def test_every_activation_may_stand_in_a_layer(name: str) -> None:
    function = getattr(keras.activations, name, None) or getattr(keras.ops, name, None)
    if function is None:
        pytest.skip("of another Keras")
    for activation in (function, layers.Activation(function)):
        config = keras.saving.serialize_keras_object(layers.Dense(2, activation=activation))
        assert find_foreign_object(config, Names()) is None
