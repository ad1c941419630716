"""Files of Keras 2, written by tf_keras, give the same outputs in Keras 3."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError
from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.probes import draw_inputs
from edgeprune.keras_bridge.model.rebuild import compact
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio

tf_keras = pytest.importorskip("tf_keras")
from keras_bridge.keras2_zoo import ZOO  # noqa: E402  (needs tf_keras)

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
SHARED = Path(__file__).parents[3] / ".." / "shared" / "models"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
TOLERANCE = 1e-5


def randomise(model: Any, rng: np.random.Generator) -> None:
    arrays = []
    for variable, array in zip(model.weights, model.get_weights(), strict=True):
        if "variance" in variable.name:
            arrays.append(rng.uniform(0.5, 2, array.shape).astype(array.dtype))
        else:
            arrays.append((0.5 * rng.standard_normal(array.shape)).astype(array.dtype))
    model.set_weights(arrays)


def saved(model: Any, path: Path) -> Path:
    randomise(model, np.random.default_rng(0))
    model.save(path)
    return path


def difference(old: Any, new: keras.Model) -> float:
    """Largest difference of outputs, as a fraction of the largest of them."""
    rng = np.random.default_rng(1)
    probe = [
        rng.integers(0, 20, (3, *t.shape[1:]))
        if any(isinstance(layer, tf_keras.layers.Embedding) for layer in old.layers)
        else rng.standard_normal((3, *t.shape[1:])).astype(np.float32)
        for t in old.inputs
    ]
    expected = old(probe if len(probe) > 1 else probe[0], training=False)
    found = call(new, probe, training=False)
    expected = [np.asarray(y) for y in keras.tree.flatten(expected)]
    return max(
        float(np.abs(a - np.asarray(b)).max() / np.abs(a).max()) for a, b in zip(expected, found, strict=True)
    )


@pytest.mark.parametrize("name", ZOO)
def test_an_h5_file_of_keras_2_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    old = ZOO[name]()
    new = load_model(saved(old, tmp_path / "model.h5"))
    assert difference(old, new) < TOLERANCE
    assert new.count_params() == old.count_params()
    new.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    assert difference(old, again) < TOLERANCE


@pytest.mark.parametrize("name", ["bidirectional", "a frozen nested model"])
def test_a_saved_model_of_keras_2_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    old = ZOO[name]()
    assert difference(old, load_model(saved(old, tmp_path / "model"))) < TOLERANCE


def test_brackets_in_the_path_of_a_saved_model_are_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "модели [v1] *").mkdir()
    old = ZOO["a frozen nested model"]()
    assert difference(old, load_model(saved(old, tmp_path / "модели [v1] *" / "model"))) < TOLERANCE


@pytest.mark.parametrize("name", ["convolutions", "recurrent", "nested", "attention"])
def test_a_keras_file_of_keras_2_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    old = ZOO[name]()
    assert difference(old, load_model(saved(old, tmp_path / "model.keras"))) < TOLERANCE


@pytest.mark.parametrize("weights", ["net.weights.h5", "net.h5", "other.h5"])
def test_a_config_in_json_finds_its_weights(weights: str, tmp_path: Path) -> None:
    old = ZOO["nested"]()
    randomise(old, np.random.default_rng(0))
    (tmp_path / "net.json").write_text(old.to_json())
    old.save_weights(tmp_path / weights, save_format="h5")
    assert difference(old, load_model(tmp_path / "net.json")) < TOLERANCE


def test_a_config_in_json_without_weights_asks_for_them(tmp_path: Path) -> None:
    old = ZOO["clipped"]()
    (tmp_path / "net.json").write_text(old.to_json())
    with pytest.raises(ModelError, match=r"where are its weights.*--weights"):
        load_model(tmp_path / "net.json")
    for name in ("a.h5", "b.h5"):
        old.save_weights(tmp_path / name, save_format="h5")
    with pytest.raises(ModelError, match=r"a\.h5, b\.h5"):
        load_model(tmp_path / "net.json")
    load_model(tmp_path / "net.json", options=LoadOptions(weights=tmp_path / "b.h5"))


APPLICATIONS: dict[str, Callable[[], Any]] = {
    "MobileNetV2": lambda: tf_keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None),
    "MobileNetV3Small": lambda: tf_keras.applications.MobileNetV3Small((64, 64, 3), weights=None),
    "EfficientNetB0": lambda: tf_keras.applications.EfficientNetB0(input_shape=(64, 64, 3), weights=None),
    "DenseNet121": lambda: tf_keras.applications.DenseNet121(input_shape=(64, 64, 3), weights=None),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_of_keras_2_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    old = APPLICATIONS[name]()
    old.save(tmp_path / "model.h5")
    assert difference(old, load_model(tmp_path / "model.h5")) < 1e-4


def test_loss_and_metrics_come_along_whatever_the_optimizer(tmp_path: Path) -> None:
    old = tf_keras.Sequential([tf_keras.layers.Dense(2, activation="softmax", input_shape=(4,))])
    old.compile("adam", tf_keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["acc", "AUC"])
    path = saved(old, tmp_path / "model.h5")
    edit(path, 'Adam"', 'AdamOfMine"', attribute="training_config")
    new = load_model(path)
    assert new.compiled
    assert new.loss.get_config()["label_smoothing"] == 0.1


# Files as versions wrote them that cannot be installed here.


def edit(path: Path, old: str, new: str, *, attribute: str = "model_config") -> None:
    with h5py.File(path, "r+") as file:
        text = file.attrs[attribute]
        assert old in text
        file.attrs[attribute] = text.replace(old, new)


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(config) or config)


def dense(path: Path, **options: Any) -> Path:
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Dense(5, input_shape=(4,), name="first"),
            tf_keras.layers.Dense(3, name="second", **options),
        ]
    )
    return saved(model, path)


def test_a_sequential_of_keras_2_2_lists_its_layers(tmp_path: Path) -> None:
    path = dense(tmp_path / "model.h5")
    expected = load_model(path).get_weights()

    def as_list(config: dict[str, Any]) -> None:
        config["config"] = [
            layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"
        ]

    rewrite(path, as_list)
    with h5py.File(path, "r+") as file:
        for attributes in (file.attrs, file["model_weights"].attrs):
            del attributes["keras_version"]
    again = load_model(path)
    for a, b in zip(expected, again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_functional_model_of_keras_2_2_is_called_model(tmp_path: Path) -> None:
    old = ZOO["joined"]()
    path = saved(old, tmp_path / "model.h5")
    edit(path, '"class_name": "Functional"', '"class_name": "Model"')
    assert difference(old, load_model(path)) < TOLERANCE


def raw(op: str, inputs: list[str], constants: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    name = f"tf_op_layer_{op}"
    config = {"name": op, "node_def": {"name": op, "op": op, "attr": attributes}, "constants": constants}
    references = [[name_, 0, 0, {}] for name_ in inputs]
    return {"class_name": "TensorFlowOpLayer", "name": name, "config": config, "inbound_nodes": [references]}


def test_raw_operations_of_tensorflow_2_0_give_the_same_outputs(tmp_path: Path) -> None:
    import tensorflow as tf

    image = tf_keras.Input((8, 8, 3), name="image")
    x = tf_keras.layers.Conv2D(6, 3, padding="same", name="conv")(image)
    y = tf.nn.relu6(x + 3.0) * 0.5
    y = tf.concat([y[:, 1:, ::2], tf.reduce_mean(x, [1], keepdims=True)[:, :, ::2]], 1)
    y = tf.reshape(tf.transpose(y, [0, 3, 1, 2]), (-1, 6 * 8, 4))
    old = tf_keras.Model(image, tf_keras.layers.Dense(2, name="head")(y))
    path = saved(old, tmp_path / "model.h5")
    nodes = [
        raw("AddV2", ["conv"], {"1": 3.0}, T={"type": "DT_FLOAT"}),
        raw("Relu6", ["tf_op_layer_AddV2"], {}),
        raw("Mul", ["tf_op_layer_Relu6"], {"0": 0.5}),
        raw(
            "StridedSlice",
            ["tf_op_layer_Mul"],
            {"1": [0, 1, 0], "2": [0, 0, 0], "3": [1, 1, 2]},
            begin_mask={"i": "5"},
            end_mask={"i": "7"},
        ),
        raw("Mean", ["conv"], {"1": [1]}, keep_dims={"b": True}),
        {
            **raw(
                "StridedSlice",
                ["tf_op_layer_Mean"],
                {"1": [0, 0, 0], "2": [0, 0, 0], "3": [1, 1, 2]},
                begin_mask={"i": "7"},
                end_mask={"i": "7"},
            ),
            "name": "tf_op_layer_second",
        },
        raw("ConcatV2", ["tf_op_layer_StridedSlice", "tf_op_layer_second"], {"2": 1}),
        raw("Transpose", ["tf_op_layer_ConcatV2"], {"1": [0, 3, 1, 2]}),
        raw("Reshape", ["tf_op_layer_Transpose"], {"1": [-1, 48, 4]}),
    ]

    def replace(config: dict[str, Any]) -> None:
        kept = [layer for layer in config["config"]["layers"] if "Lambda" not in layer["class_name"]]
        kept[-1]["inbound_nodes"] = [[["tf_op_layer_Reshape", 0, 0, {}]]]
        config["config"]["layers"] = [*kept[:-1], *nodes, kept[-1]]

    rewrite(path, replace)
    assert difference(old, load_model(path)) < TOLERANCE


def test_weights_of_keras_1_are_refused(tmp_path: Path) -> None:
    path = dense(tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights"].attrs["backend"] = "theano"
    with pytest.raises(ModelError, match="theano"):
        load_model(path)


def test_cudnn_weights_are_put_in_order(tmp_path: Path) -> None:
    """The layout of cuDNN, undone: kernels transposed gate by gate, and two biases per gate."""
    for kind, gates in (("LSTM", 4), ("GRU", 3)):
        layer = getattr(tf_keras.layers, kind)
        old = tf_keras.Sequential([layer(3, input_shape=(6, 5), name="rnn")])
        path = saved(old, tmp_path / f"{kind}.h5")
        kernel, recurrent, bias = old.get_weights()
        with h5py.File(path, "r+") as file:
            group = file["model_weights/rnn"]
            names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs["weight_names"]]
            kernels = [k.T.reshape(k.shape) for k in np.split(kernel, gates, axis=1)]
            group[names[0]][...] = np.concatenate(kernels, axis=1)
            group[names[1]][...] = np.concatenate([k.T for k in np.split(recurrent, gates, axis=1)], axis=1)
            del group[names[2]]
            halves = np.stack([bias, np.zeros_like(bias)]) if gates == 4 else bias
            group[names[2]] = halves.ravel()
        edit(path, f'"class_name": "{kind}"', f'"class_name": "CuDNN{kind}"')
        assert difference(old, load_model(path)) < TOLERANCE


def test_a_gru_of_before_reset_after_stays_one(tmp_path: Path) -> None:
    old = tf_keras.Sequential([tf_keras.layers.GRU(3, reset_after=False, input_shape=(6, 5))])
    path = saved(old, tmp_path / "model.h5")
    edit(path, ', "reset_after": false', "")
    assert difference(old, load_model(path)) < TOLERANCE


def test_slashes_go_from_names(tmp_path: Path) -> None:
    model = load_model(saved(ZOO["nested"](), tmp_path / "model.h5"))
    names = [layer.name for layer in model._flatten_layers()]
    assert "block_shared_conv" in names
    assert not any("/" in name for name in names)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"units": 3', '"units": 4'), "weights of layer 'second' contradict"),
        (('"use_bias": true', '"use_bias": false'), "layer 'first' has 1 weights, and the file 2"),
        (('"class_name": "Dense"', '"class_name": "LocallyConnected2D"'), "LocallyConnected2D.*--custom"),
        (('"units": 5', '"units": 5, "shape_of_things": 7'), "shape_of_things"),
        (('"units": 5', '"units": -5'), "layer 'first'"),
        (('"activation": "linear"', '"activation": "nosuch"'), "layer 'first'"),
        (('"layers": [', '"layers": [{"class_name": "Dense", "config": 7}, '), "without a config"),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    path = dense(tmp_path / "model.h5")
    edit(path, *change)
    with pytest.raises(ModelError, match=says) as caught:
        load_model(path)
    assert caught.value.exit_code == 3
    assert str(path) in caught.value.message


def test_a_function_without_translation_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(ZOO["clipped"](), tmp_path / "model.h5")
    edit(path, '"function": "clip_by_value"', '"function": "strings.lower"')
    with pytest.raises(ModelError, match=r"layer 'tf.clip_by_value.*' .*'tf.strings.lower'"):
        load_model(path)


def test_a_function_with_odd_arguments_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(ZOO["clipped"](), tmp_path / "model.h5")
    edit(path, '"clip_value_min"', '"clip_value_least"')
    with pytest.raises(ModelError, match="clip_value_least"):
        load_model(path)


def test_calls_that_read_one_another_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = saved(ZOO["joined"](), tmp_path / "model.h5")

    def turn(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Conv2D":
                layer["inbound_nodes"] = [[[layer["name"], 0, 0, {}]]]

    rewrite(path, turn)
    with pytest.raises(ModelError, match="reads what no layer makes"):
        load_model(path)


@needs_shared
def test_the_keyword_spotting_saved_model_gives_the_same_outputs() -> None:
    path = SHARED / "mlperf_tiny/keyword_spotting/kws_ref_model"
    assert difference(tf_keras.models.load_model(path, compile=False), load_model(path)) < TOLERANCE


def test_a_saved_model_that_keras_did_not_write_is_refused(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path / "model"))
    with pytest.raises(ModelError, match="without the layers of its model"):
        load_model(tmp_path / "model")


@needs_shared
@pytest.mark.parametrize("path", sorted(path.relative_to(SHARED).as_posix() for path in SHARED.rglob("*.h5")))
def test_a_public_file_is_pruned_by_a_third_and_equal(path: str) -> None:
    assert_pruned(load_model(SHARED / path))


@needs_shared
def test_the_keyword_spotting_model_is_pruned_by_a_third_and_equal() -> None:
    assert_pruned(load_model(SHARED / "mlperf_tiny/keyword_spotting/kws_ref_model"))


def assert_pruned(model: keras.Model) -> None:
    traced = trace(model)
    channels = name_channels(traced.graph)
    scores = score_groups(CRITERIA["l2"], Evidence(graph=traced.graph, channels=channels))
    kept = remove_ratio(channels, scores=scores, ratio=0.3, limits=Limits(scope="local"))
    probe = draw_inputs(model, traced.graph, seed=0)
    compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
    assert compacted.error <= 1e-4
    assert compacted.graph.params < 0.8 * traced.graph.params
