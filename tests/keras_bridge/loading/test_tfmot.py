"""Files that tfmot left its wrappers in open as if they had been stripped before they were saved."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.loading.tfmot import bare_wrappers, drop_wrapper_weights, read_clustered

pytestmark = pytest.mark.skipif(
    not (find_spec("tensorflow_model_optimization") and find_spec("tf_keras")),
    reason="needs tfmot and tf_keras",
)

# In a process of its own, since tfmot wants the whole process to use Keras 2.
SCRIPT = """
import sys
import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras as keras

layers, folder = keras.layers, sys.argv[1]
keras.utils.set_random_seed(0)
x, y = np.random.normal(size=(32, 8, 8, 1)).astype("f4"), np.random.normal(size=(32, 3)).astype("f4")
np.save(folder + "/x.npy", x)

def sequential(normalized=True):
    some = [layers.BatchNormalization()] if normalized else []
    return keras.Sequential([
        layers.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), *some,
        layers.Flatten(), layers.Dense(3),
    ])

def functional():
    image = layers.Input((8, 8, 1))
    a = layers.Conv2D(4, 3, padding="same")(image)
    b = layers.Add()([a, layers.DepthwiseConv2D(3, padding="same")(a)])
    b = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(b))
    return keras.Model(image, layers.Dense(3)(b))

def save(model, name, *forms):
    model.compile("adam", "mse")
    steps = [tfmot.sparsity.keras.UpdatePruningStep()] if "pruned" in name else []
    model.fit(x, y, epochs=2, verbose=0, callbacks=steps)
    for form in forms:
        model.save(folder + "/" + name + form, **({} if form else {"save_format": "tf"}))
    np.save(folder + "/" + name + ".npy", model.predict(x, verbose=0))

sparse = tfmot.sparsity.keras.ConstantSparsity(0.5, 0, frequency=1)
linear = tfmot.clustering.keras.CentroidInitialization.LINEAR
for make in (sequential, functional):
    name = make.__name__
    save(tfmot.sparsity.keras.prune_low_magnitude(make(), sparse), name + "_pruned", ".h5", ".keras", "")
    cluster = dict(number_of_clusters=4, cluster_centroids_init=linear)
    save(tfmot.clustering.keras.cluster_weights(make(), **cluster), name + "_clustered", ".h5", ".keras", "")
save(tfmot.quantization.keras.quantize_model(sequential(False)), "quantized", ".h5", ".keras")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tfmot")
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(made)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return made


@pytest.mark.parametrize("form", [".h5", ".keras", ""])
@pytest.mark.parametrize("kind", ["pruned", "clustered"])
@pytest.mark.parametrize("name", ["sequential", "functional"])
def test_a_wrapped_model_computes_the_same_without_its_wrappers(
    name: str, kind: str, form: str, folder: Path
) -> None:
    model = load_model(folder / f"{name}_{kind}{form}")
    expected = np.load(folder / f"{name}_{kind}.npy")
    found = model.predict(np.load(folder / "x.npy"), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.compiled
    assert not any("prune" in layer.name or "cluster" in layer.name for layer in model.layers)
    # tfmot leaves depthwise kernels as they are.
    kernels = [np.asarray(w) for w in model.weights if w.name == "kernel" and "depthwise" not in w.path]
    assert len(kernels) == 2
    for kernel in kernels:
        assert np.unique(kernel).size <= 4 if kind == "clustered" else np.mean(kernel == 0) >= 0.5


@pytest.mark.parametrize("form", [".h5", ".keras"])
def test_a_quantization_aware_model_is_refused_with_what_to_save(form: str, folder: Path) -> None:
    with pytest.raises(ModelError, match="save the float model from before quantize_model"):
        load_model(folder / f"quantized{form}")


@pytest.mark.parametrize("key", ["preserve_sparsity", "cluster_per_channel"])
def test_clusters_that_only_tfmot_can_read_are_refused(key: str) -> None:
    wrapper = {"class_name": "ClusterWeights", "config": {"layer": {"class_name": "Dense"}, key: True}}
    with pytest.raises(ModelError, match=rf"with {key} .* save tfmot.clustering.keras.strip_clustering"):
        bare_wrappers({"config": {"layers": [wrapper]}}, where="m")


def test_several_clustered_weights_of_one_layer_are_refused() -> None:
    with pytest.raises(ModelError, match="strip_clustering"):
        list(read_clustered([np.zeros(2)] * 6, [], where="m"))


def test_a_weight_of_the_users_called_mask_stays() -> None:
    named = [("own/kernel:0", np.ones(2)), ("own/mask:0", np.zeros(2)), ("own/threshold:0", np.zeros(1))]
    assert [a.shape for a in drop_wrapper_weights(named)] == [(2,), (2,), (1,)]
    pruned = [*named, ("own/pruning_step:0", np.zeros(()))]
    assert [a.shape for a in drop_wrapper_weights(pruned)] == [(2,)]


def test_clustered_weights_take_the_nearest_centroid_and_their_place_before_the_bias() -> None:
    named = [
        ("dense/bias:0", np.array([7.0])),
        ("dense/kernel:0", np.array([0.1, 0.9, -2.0])),
        ("cluster_dense/cluster_centroids_kernel:0", np.array([1.0, 0.0])),
        ("cluster_dense/pulling_indices_kernel:0", np.array([0, 0, 0])),
    ]
    assert [a.tolist() for a in drop_wrapper_weights(named)] == [[0.0, 1.0, 0.0], [7.0]]
