"""Layers, functions and rules of the user's own, open input shapes, and code that is trusted."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from random_pruning import prune_at_random

import edgeprune
from edgeprune.config.load_options import LoadOptions, parse_load_options
from edgeprune.errors import ModelError, RecipeError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layers.rules import RULES
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.model.trace import trace

MODULE = """
import keras
from edgeprune.graph.layers.rules import LayerRule, pass_on

class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2.0

class Wide(keras.layers.Conv2D):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "padding": "same"})

class Fixed(keras.layers.Dense):
    def __init__(self, units=7, **kwargs):
        super().__init__(7, **kwargs)

class Odd(keras.layers.Dense):
    def call(self, x):
        return super().call(x) + 1.0

class Own(keras.Model):
    pass

def mine(x):
    return x * keras.ops.sigmoid(x)

RULE = LayerRule(kind="layers_of_mine.Doubled", status="transparent", flow=pass_on)
NUMBER = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module `layers_of_mine` in the working directory; forgotten after the test."""
    (tmp_path / "layers_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import layers_of_mine  # type: ignore[import-not-found]

    known = dict(keras.saving.get_custom_objects())
    yield layers_of_mine
    keras.saving.get_custom_objects().clear()
    keras.saving.get_custom_objects().update(known)
    RULES._definitions.pop("layers_of_mine.Doubled", None)
    sys.modules.pop("layers_of_mine", None)


def saved(*middle: Any, path: Path) -> Path:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3)(image)
    for layer in middle:
        x = layer(x)
    keras.Model(image, layers.Dense(2)(layers.Flatten()(layers.Conv2D(4, 1)(x)))).save(path)
    return path


def options(*custom: str) -> LoadOptions:
    return LoadOptions(custom=tuple(f"layers_of_mine:{name}" for name in custom))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_custom_layer_is_kept_and_the_rest_is_pruned(mine: Any, tmp_path: Path, suffix: str) -> None:
    path = saved(mine.Doubled(name="twice"), path=tmp_path / f"model{suffix}")
    with pytest.raises(ModelError, match="Doubled"):
        load_model(path)
    model = load_model(path, options=options("Doubled"))
    compacted, _, channels, _ = prune_at_random(model, 0)
    assert "no rule for layers_of_mine.Doubled" in channels.kept_layers["twice"]
    assert compacted.graph.shapes[compacted.graph.nodes[0].outputs[0]][-1] == 6
    assert compacted.graph.params < model.count_params()


def test_from_python_the_class_itself_will_do(mine: Any, tmp_path: Path) -> None:
    path = saved(mine.Doubled(name="twice"), path=tmp_path / "model.keras")
    assert edgeprune.convert(path, scheme="none", custom=mine.Doubled, progress=False).tflite


def test_a_custom_layer_with_a_rule_is_pruned_through(mine: Any, tmp_path: Path) -> None:
    path = saved(mine.Doubled(), path=tmp_path / "model.keras")
    model = load_model(path, options=options("Doubled", "RULE"))
    channels = name_channels(trace(model).graph)
    assert not channels.kept_layers
    prune_at_random(model, 0)


def test_a_subclass_that_computes_as_its_base_is_pruned_as_its_base(mine: Any, tmp_path: Path) -> None:
    path = saved(mine.Wide(5, 3), path=tmp_path / "model.keras")
    model = load_model(path, options=options("Wide"))
    compacted, traced, channels, _ = prune_at_random(model, 1)
    assert traced.graph.layers[traced.graph.nodes[1].layer].kind == "Conv2D"
    assert not channels.kept_layers
    compacted.model.save(tmp_path / "again.keras")
    keras.models.load_model(tmp_path / "again.keras")


@pytest.mark.parametrize("name", ["Fixed", "Odd"])
def test_a_subclass_that_does_not_is_kept(mine: Any, tmp_path: Path, name: str) -> None:
    path = saved(getattr(mine, name)(7), path=tmp_path / "model.keras")
    model = load_model(path, options=options(name))
    compacted, _, channels, _ = prune_at_random(model, 1)
    assert f"layers_of_mine.{name}" in next(iter(channels.kept_layers.values()))
    assert compacted.error < 1e-4


def test_a_function_of_ones_own_is_found(mine: Any, tmp_path: Path) -> None:
    path = saved(layers.Dense(5, activation=mine.mine), path=tmp_path / "model.keras")
    model = load_model(path, options=options("mine"))
    prune_at_random(model, 0)


def test_a_subclassed_model_with_a_graph_opens_without_its_class(mine: Any, tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    model = mine.Own(inputs, layers.Dense(2)(layers.Dense(3)(inputs)))
    model.save(tmp_path / "model.keras")
    sys.modules.pop("layers_of_mine")
    again = load_model(tmp_path / "model.keras")
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("layers_of_mine", "form module:object"),
        ("layers_of_mine:Nothing", "Nothing"),
        ("no_such_module:Thing", "no_such_module"),
        ("layers_of_mine:NUMBER", "neither a class"),
    ],
)
def test_a_custom_object_that_is_not_there_is_refused(
    mine: Any, tmp_path: Path, name: str, says: str
) -> None:
    path = saved(path=tmp_path / "model.keras")
    with pytest.raises(ModelError, match=says):
        load_model(path, options=LoadOptions(custom=(name,)))


def test_a_module_that_fails_is_refused_with_its_reason(mine: Any, tmp_path: Path) -> None:
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('out of order')")
    with pytest.raises(ModelError, match="RuntimeError: out of order"):
        load_model(saved(path=tmp_path / "m.keras"), options=LoadOptions(custom=("broken_module:x",)))


def open_model(path: Path) -> Path:
    image, other = keras.Input((None, None, 3), name="photo"), keras.Input((5,), name="other")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(layers.Conv2D(4, 3)(image)))
    model = keras.Model([image, other], layers.Dense(2)(layers.Concatenate()([x, other])))
    model.compile(loss="mse")
    model.save(path)
    return path


def test_open_input_shapes_are_set(tmp_path: Path) -> None:
    path = open_model(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="--input-shape"):
        load_model(path)
    model = load_model(path, options=parse_load_options(input_shape=["12,10,3", "5"]))
    assert [t.shape[1:] for t in model.inputs] == [(12, 10, 3), (5,)]
    assert model.compiled
    original = keras.models.load_model(path, compile=False)
    x = [np.random.default_rng(0).standard_normal((2, *t.shape[1:])).astype("f") for t in model.inputs]
    np.testing.assert_allclose(model.predict(x, verbose=0), original.predict(x, verbose=0), rtol=1e-5)
    prune_at_random(model, 0)


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        (["12,10,3"], "has 2 inputs"),
        (["12,10,4", "5"], "contradicts"),
        (["12,3", "5"], "contradicts"),
        (["3,3,3", "5"], "cannot take the shape"),
    ],
)
def test_an_input_shape_that_does_not_fit_is_refused(tmp_path: Path, shapes: list[str], says: str) -> None:
    path = open_model(tmp_path / "model.keras")
    with pytest.raises(ModelError, match=says):
        load_model(path, options=parse_load_options(input_shape=shapes))


@pytest.mark.parametrize("text", ["", "a,b", "0,3", "-1,3", "1.5"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="no shape"):
        parse_load_options(input_shape=[text])


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_trusted_lambda_is_kept_and_the_rest_is_pruned(tmp_path: Path) -> None:
    path = saved(layers.Lambda(lambda x: x + 1.0, output_shape=(6, 6, 6)), path=tmp_path / "model.keras")
    model = load_model(path, options=LoadOptions(trust=True))
    compacted, _, channels, _ = prune_at_random(model, 0)
    assert channels.kept_layers
    assert compacted.graph.params < model.count_params()


def test_operations_of_keras_3_open_from_hdf5(tmp_path: Path) -> None:
    image = keras.Input((6, 6, 3))
    x, y = layers.Conv2D(4, 1)(image), layers.Conv2D(4, 1)(image)
    x = layers.Add()([x, y * 2.0 + x])
    x = keras.ops.reshape(x[:, 1:, ..., :3], (-1, 5, 18))
    model = keras.Model(image, layers.Softmax()(layers.Reshape((90,))(keras.ops.softmax(x))))
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype("f")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


@pytest.mark.parametrize("weights", ["net.weights.h5"])
def test_a_config_of_keras_3_in_json_finds_its_weights(tmp_path: Path, weights: str) -> None:
    model = keras.models.load_model(saved(path=tmp_path / "model.keras"))
    (tmp_path / "net.json").write_text(model.to_json())
    model.save_weights(tmp_path / weights)
    again = load_model(tmp_path / "net.json")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_beside_a_json_that_lead_out_of_the_file_are_refused(tmp_path: Path) -> None:
    import h5py

    model = keras.models.load_model(saved(path=tmp_path / "model.keras"))
    (tmp_path / "net.json").write_text(model.to_json())
    model.save_weights(tmp_path / "net.weights.h5")
    with h5py.File(tmp_path / "net.weights.h5", "r+") as file:
        file["away"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ModelError, match="'away' is a link"):
        load_model(tmp_path / "net.json")


def test_code_in_a_json_config_is_refused(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}}
    (tmp_path / "net.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="Lambda"):
        load_model(tmp_path / "net.json")


def test_an_archive_of_another_class_is_refused_before_anything_is_imported(tmp_path: Path) -> None:
    path = saved(path=tmp_path / "model.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].replace(b'"module": "keras.layers"', b'"module": "antigravity"', 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, "config.json": config}.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match="antigravity"):
        load_model(path)
    assert "antigravity" not in sys.modules
