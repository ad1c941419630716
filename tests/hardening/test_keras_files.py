"""Keras files that name what no model is made of: refused before anything of it is made, opened or run."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.loading.save import open_saved, save_model

Config = dict[str, Any]


def function(module: str | None, name: str) -> Config:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def thing(place: str | None, name: str, registered: str | None = None, **config: Any) -> Config:
    return {"module": place, "class_name": name, "config": config, "registered_name": registered}


BYTECODE = {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}

FUNCTIONS = {
    "a download": function("keras.utils", "get_file"),
    "a download by its own module": function("keras.src.utils.file_utils", "get_file"),
    "an archive that is unpacked": function("keras.src.utils.file_utils", "extract_archive"),
    "a model that is loaded": function("keras.saving", "load_model"),
    "the same under another name": function("keras.models", "load_model"),
    "weights that are loaded": function("keras.saving", "load_weights"),
    "the end of safe mode": function("keras.config", "enable_unsafe_deserialization"),
    "an image that is read": function("keras.preprocessing.image", "load_img"),
    "an image that is written": function("keras.utils", "save_img"),
    "a folder that is read": function("keras.utils", "image_dataset_from_directory"),
    "a model with weights from the net": function("keras.applications", "ResNet50"),
    "the backend's eval": function("keras._legacy.backend", "eval"),
    "Python's eval": function("builtins", "eval"),
    "Python's exec": function("builtins", "exec"),
    "Python's open": function("builtins", "open"),
    "os.system": function("os", "system"),
    "posix.system": function("posix", "system"),
    "a function without a module": function(None, "system"),
    "what makes objects": function("builtins", "deserialize"),
    "a loss": function("keras.losses", "mean_squared_error"),
    "what calls another function": function("keras.ops", "map"),
    "bytecode": BYTECODE,
    "a Lambda": thing("keras.layers", "Lambda", function=BYTECODE),
    "a Lambda of a package": thing("keras.layers", "x>Lambda", function=BYTECODE),
    "a registered Lambda": thing("keras.layers", "Lambda", "x>Dense", function=BYTECODE),
    "a Lambda without a module": {"class_name": "Lambda", "config": {"function": BYTECODE}},
    "a SavedModel": thing("keras.layers", "TFSMLayer", filepath="/etc"),
    "a SavedModel by its own module": thing("keras.src.export.tfsm_layer", "TFSMLayer", filepath="/etc"),
    "a pickle": thing("keras.layers", "TorchModuleWrapper", module="gASV"),
    "a callback that writes": thing("keras.callbacks", "CSVLogger", filename="written.csv"),
    "a callback that calls": thing("keras.callbacks", "RemoteMonitor", root="http://127.0.0.1:9"),
    "a process": thing("subprocess", "Popen", args=["true"]),
    "a module of a hub": thing("keras_hub.models", "Backbone"),
    "a type": {"class_name": "__typespec__", "spec_name": "Popen", "module": "subprocess", "config": []},
    "a name of text alone": "deserialize",
    "another name of text alone": "get_file",
}
"""What an activation must not be."""

WORDS = thing("keras.layers", "StringLookup", vocabulary="/etc/passwd")

LAYERS = {
    "a Lambda": thing("keras.layers", "Lambda", function=BYTECODE),
    "a Lambda by its own module": thing("keras.src.layers.core.lambda_layer", "Lambda", function=BYTECODE),
    "a Lambda of a package": thing("keras.layers", "x>Lambda", function=BYTECODE),
    "a registered Lambda": thing("keras.layers", "Lambda", "x>Dense", function=BYTECODE),
    "a SavedModel": thing("keras.layers", "TFSMLayer", filepath="/etc"),
    "a JAX function": thing("keras.layers", "JaxLayer", call_fn=BYTECODE),
    "a Flax module": thing("keras.layers", "FlaxLayer", module=BYTECODE),
    "words from a file": WORDS,
    "numbers from a file": thing("keras.layers", "IntegerLookup", vocabulary="/etc/passwd"),
    "text from a file": thing("keras.layers", "TextVectorization", vocabulary="/etc/passwd"),
    "words from the net": thing("keras.layers", "StringLookup", vocabulary="gs://bucket/words.txt"),
    "words from a file, wrapped": thing(
        "keras.layers",
        "TimeDistributed",
        layer=thing("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
    ),
    "words from a file, in a pipeline": thing("keras.layers", "Pipeline", layers=[WORDS]),
    "text that is split by a function": thing(
        "keras.layers", "TextVectorization", split=function("keras.utils", "get_file")
    ),
    "a Lambda, wrapped": thing(
        "keras.layers", "TimeDistributed", layer=thing("keras.layers", "y>Lambda", function=BYTECODE)
    ),
    "a space of features": thing("keras.utils", "FeatureSpace", features={}),
    "a derivative": thing("keras.src.ops.linalg", "JVP"),
    "a name that is a list": {**thing("keras.layers", "Dense", units=2), "class_name": ["Lambda"]},
    "a name that is a number": {**thing("keras.layers", "Dense", units=2), "class_name": 7},
    "a name that is nothing": {**thing("keras.layers", "Dense", units=2), "class_name": None},
    "a module that is a list": {**thing("keras.layers", "Dense", units=2), "module": ["keras.layers"]},
    "a module with a space": thing(" keras.layers", "Lambda"),
    "a module with a dot more": thing("keras..layers", "Lambda"),
    "a module that looks alike": thing("kеras.layers", "Dense", units=2),
    "a module with a NUL": thing("keras.layers\0", "Dense", units=2),
}
"""What a layer must not be."""


def put_activation(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["config"]["activation"] = hostile


def put_initializer(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["config"]["kernel_initializer"] = hostile


def put_regularizer(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["config"]["kernel_regularizer"] = hostile


def put_constraint(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["config"]["bias_constraint"] = hostile


def put_unknown_key(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["config"]["anything"] = [{"deep": hostile}]


def put_argument(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["inbound_nodes"][0]["kwargs"]["training"] = hostile


def put_build_config(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["build_config"] = {"input_shape": hostile}


def put_nested_compile(config: Config, hostile: Any) -> None:
    config["config"]["layers"][1]["compile_config"] = {"loss": hostile}


def put_layer(config: Config, hostile: Any) -> None:
    entry = config["config"]["layers"][1]
    inner = hostile["config"] | {"name": "head"} if isinstance(hostile["config"], dict) else hostile["config"]
    entry.pop("registered_name", None)
    entry.pop("build_config", None)
    entry |= {**hostile, "config": inner}


PLACES: dict[str, Callable[[Config, Any], None]] = {
    "activation": put_activation,
    "initializer": put_initializer,
    "regularizer": put_regularizer,
    "constraint": put_constraint,
    "unknown key": put_unknown_key,
    "argument of a call": put_argument,
    "build_config": put_build_config,
    "compile_config of a layer": put_nested_compile,
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model in every form that Keras 3 writes."""
    folder = tmp_path_factory.mktemp("plain")
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, layers.Dense(2, name="head")(inputs), name="small")
    model.compile(loss="mse", metrics=["mae"])
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    return folder


def rewritten(plain: Path, form: str, place: Path, change: Callable[[Config], None]) -> Path:
    """A copy of a plain file with another config."""
    path = place / f"hostile.{form}"
    content = (plain / f"model.{form}").read_bytes()
    path.write_bytes(content)
    if form == "json":
        config = json.loads(content)
        change(config)
        path.write_text(json.dumps(config))
        (place / "hostile.weights.h5").write_bytes((plain / "model.weights.h5").read_bytes())
    elif form == "h5":
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        change(config)
        with zipfile.ZipFile(path, "w") as archive:
            for name, member in (members | {"config.json": json.dumps(config).encode()}).items():
                archive.writestr(name, member)
    return path


REASONS = ("may name", "no part of Keras", "not run unless", "no path in a model file")


def refused(path: Path, *, options: LoadOptions | None = None) -> str:
    before = {*path.parent.iterdir()}
    with pytest.raises(ModelError) as caught:
        load_model(path, options=options)
    assert caught.value.exit_code == 3
    assert any(reason in caught.value.message for reason in REASONS), caught.value.message
    assert caught.value.fix
    assert {*path.parent.iterdir()} == before
    return caught.value.message


@pytest.mark.parametrize("form", ["keras", "h5", "json"])
def test_the_plain_files_open(plain: Path, form: str) -> None:
    assert load_model(plain / f"model.{form}").count_params() == 10


@pytest.mark.parametrize("form", ["keras", "h5", "json"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_what_is_no_activation_is_refused(plain, tmp_path, kind, form) -> None:
    refused(rewritten(plain, form, tmp_path, lambda config: put_activation(config, FUNCTIONS[kind])))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["a download", "bytecode", "a SavedModel", "a callback that writes"])
def test_nor_may_it_stand_anywhere_else(plain, tmp_path, kind, place) -> None:
    refused(rewritten(plain, "keras", tmp_path, lambda config: PLACES[place](config, FUNCTIONS[kind])))


@pytest.mark.parametrize("form", ["keras", "h5", "json"])
@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_no_layer_is_refused(plain, tmp_path, kind, form) -> None:
    refused(rewritten(plain, form, tmp_path, lambda config: put_layer(config, LAYERS[kind])))


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if "file" in kind or "net" in kind])
def test_a_trusted_file_opens_no_path_either(plain, tmp_path, kind) -> None:
    path = rewritten(plain, "keras", tmp_path, lambda config: put_layer(config, LAYERS[kind]))
    assert "no path in a model file" in refused(path, options=LoadOptions(trust=True))


@pytest.mark.parametrize("levels", [100, 245, 300, 600, 900])
@pytest.mark.parametrize("form", ["keras", "h5", "json"])
def test_a_config_that_is_nested_deeply_is_no_bug(plain, tmp_path, form, levels) -> None:
    def change(config: Config) -> None:
        deep: Any = 1
        for number in range(levels):
            deep = [deep] if number % 2 else {"a": deep}
        config["config"]["layers"][1]["config"]["anything"] = deep

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)  # for json to write it
    path = rewritten(plain, form, tmp_path, change)
    sys.setrecursionlimit(limit)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert len(caught.value.message) < 600


@pytest.mark.parametrize("form", ["keras", "h5", "json"])
@pytest.mark.parametrize("module", ["keras.utils", "keras.callbacks", "os"])
def test_a_model_of_a_class_that_is_none_is_the_graph_in_the_file(plain, tmp_path, form, module) -> None:
    """Its class is not needed, so it is not looked for."""
    path = rewritten(
        plain, form, tmp_path, lambda config: config.update(module=module, class_name="FeatureSpace")
    )
    assert load_model(path).count_params() == 10


def test_of_two_names_the_one_that_counts_is_looked_at(plain, tmp_path) -> None:
    path = rewritten(plain, "keras", tmp_path, lambda config: None)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(
        b'"class_name": "Dense"', b'"class_name": "Dense", "class_name": "Lambda"'
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    refused(path)


COMPILED = {
    "loss": "loss",
    "metrics": "metrics",
    "weighted_metrics": "weighted_metrics",
    "optimizer": "optimizer",
}


@pytest.mark.parametrize("key", COMPILED)
@pytest.mark.parametrize(
    "kind", ["a download", "os.system", "a callback that writes", "a model that is loaded"]
)
def test_a_model_that_is_compiled_with_it_opens_without(plain, tmp_path, kind, key) -> None:
    def change(config: Config) -> None:
        hostile = FUNCTIONS[kind]
        config["compile_config"][key] = [hostile] if "metrics" in key else hostile

    path = rewritten(plain, "keras", tmp_path, change)
    model = load_model(path)
    assert "get_file" not in str(model.loss)
    assert "system" not in str(model.loss)
    assert not (tmp_path / "written.csv").exists()
    assert {one.name for one in tmp_path.iterdir()} == {path.name}


def in_keras2(entry: Config) -> Config:
    """A model of Keras 2 with that layer."""
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4]}}
    named = {"name": "x", "inbound_nodes": []}
    entry = {**entry, "name": "head", "inbound_nodes": [[["x", 0, 0, {}]]]}
    if isinstance(entry.get("config"), dict):
        entry["config"] = {"name": "head", **entry["config"]}
    graph = {"name": "m", "layers": [first | named, entry], "input_layers": [["x", 0, 0]]}
    return {"class_name": "Functional", "config": graph | {"output_layers": [["head", 0, 0]]}}


CODE = ["4wAAAA==", None, None]
LOOKUP = {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}
OF_KERAS2: dict[str, Config] = {
    "words from a file": LOOKUP,
    "text from a file": {"class_name": "TextVectorization", "config": {"vocabulary": "/etc/passwd"}},
    "words of a package": {**LOOKUP, "class_name": "keras>StringLookup"},
    "words, wrapped": {"class_name": "TimeDistributed", "config": {"layer": LOOKUP}},
    "words, pruned": {"class_name": "PruneLowMagnitude", "config": {"layer": LOOKUP}},
    "words, both ways": {
        "class_name": "Bidirectional",
        "config": {"layer": LOOKUP, "backward_layer": LOOKUP},
    },
    "a Lambda": {"class_name": "Lambda", "config": {"function": CODE}},
    "a Lambda of a package": {"class_name": "x>Lambda", "config": {"function": CODE}},
    "a Lambda of Keras": {"class_name": "keras>Lambda", "config": {"function": CODE}},
    "a Lambda, wrapped": {
        "class_name": "TimeDistributed",
        "config": {"layer": {"class_name": "x>Lambda", "config": {"name": "in", "function": CODE}}},
    },
    "a Lambda as an activation": {
        "class_name": "Dense",
        "config": {"units": 2, "activation": {"class_name": "x>Lambda", "config": {"function": CODE}}},
    },
    "a Lambda as a cell": {
        "class_name": "RNN",
        "config": {"cell": {"class_name": "x>Lambda", "config": {"function": CODE}}},
    },
    "a SavedModel": {"class_name": "y>TFSMLayer", "config": {"filepath": "/etc"}},
    "a layer of somebody's": {"class_name": "Vendor>Dense", "config": {"units": 2}},
    "a function that splits": {
        "class_name": "TextVectorization",
        "config": {"split": function("keras.utils", "get_file")},
    },
    "a name for an activation": {"class_name": "Dense", "config": {"units": 2, "activation": "deserialize"}},
    "a class that is none": {"class_name": "Layer", "config": {}},
    "a module of Python": {"class_name": "system", "module": "os", "config": {}},
}


@pytest.mark.parametrize("kind", OF_KERAS2)
def test_what_no_model_of_keras_2_is_made_of_is_refused(tmp_path, kind) -> None:
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps(in_keras2(OF_KERAS2[kind]))
        file.create_group("model_weights").attrs["layer_names"] = []
    refused(path)


@pytest.mark.parametrize("kind", OF_KERAS2)
def test_nor_is_it_taken_from_a_saved_model(tmp_path, kind) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    node = saved.meta_graphs.add().object_graph_def.nodes.add()
    node.user_object.metadata = json.dumps(in_keras2(OF_KERAS2[kind]))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    refused(folder)


def test_a_name_of_the_users_does_not_cover_one_of_keras(plain, tmp_path) -> None:
    (tmp_path / "mine.py").write_text("import keras\n\nclass Foo(keras.layers.Layer):\n    pass\n")
    custom = LoadOptions(custom=(f"{tmp_path / 'mine.py'}:Foo",))
    for registered in ("Foo", "x>Foo"):
        entry = thing("keras.utils", "FeatureSpace", f"{registered}s", features={})
        refused(rewritten(plain, "keras", tmp_path, lambda c, e=entry: put_layer(c, e)), options=custom)
    old = in_keras2({"class_name": "TFSMLayer", "registered_name": "Foo", "config": {"filepath": "/etc"}})
    (tmp_path / "old.json").write_text(json.dumps(old))
    with pytest.raises(ModelError, match="TFSMLayer"):
        load_model(tmp_path / "old.json", options=custom)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_stage_of_a_build_may_name_no_more(plain, tmp_path, kind) -> None:
    """Whoever hands over a work directory may have written its checksums as well."""
    path = rewritten(plain, "keras", tmp_path, lambda config: put_layer(config, LAYERS[kind]))
    with pytest.raises(ModelError) as caught:
        open_saved(path, original=load_model(plain / "model.keras"))
    assert any(reason in caught.value.message for reason in REASONS)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_stage_of_a_model_whose_code_was_trusted_may_hold_it(tmp_path) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Lambda(lambda x: x * 2, output_shape=(4,))(inputs))
    save_model(model, tmp_path / "stage.keras")
    again = open_saved(tmp_path / "stage.keras", original=model)
    assert float(again.predict(np.ones((1, 4)), verbose=0)[0, 0]) == 2.0
