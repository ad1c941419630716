"""Zeros and clusters in builds: chosen or asked for, stored encoded, bit-exact in TFLM."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from tests.e2e.conftest import COMMAND, DIGITS, ENVIRONMENT, Ended

WIDE = """
import sys
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
digits = np.load(sys.argv[2])
image = keras.Input((8, 8, 1))
x = layers.Dense(512, activation="relu")(layers.Flatten()(image))
x = layers.Dense(160, activation="relu")(x)
model = keras.Model(image, layers.Dense(10, activation="softmax")(x), name="wide")
model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=8, verbose=0)
model.save(sys.argv[1])
"""
BUDGETS = ("--flash-kib", 128, "--latency-ms", 1000)
"""The dense model takes about 160 KiB of flash."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.keras"
    subprocess.run([sys.executable, "-c", WIDE, str(path), str(DIGITS)], check=True, capture_output=True)
    return path


def run(*arguments: object) -> Ended:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr, Path())


def test_zeros_that_are_asked_for_arrive_in_a_smaller_file(wide: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    asked = ("--sparsity", 0.9, "--epochs", 4, "--output", output, "--json")
    ended = run("build", wide, "--device", "cortex-m7", "--data", DIGITS, *BUDGETS, *asked)
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    kernels = report["sparsity"]["kernels"]
    assert [kernel["zeros"] for kernel in kernels] == [kernel["masked"] for kernel in kernels]
    share = sum(k["masked"] for k in kernels) / sum(k["weights"] for k in kernels)
    assert share == pytest.approx(0.9, abs=0.01)
    assert [step["kind"] for step in report["steps"]][-1] == "zeros"

    plain, encoded = (output / name for name in ("model.tflite", "model_encoded.tflite"))
    assert encoded.stat().st_size < 0.5 * plain.stat().st_size
    assert report["pruned"]["tflite_bytes"] == encoded.stat().st_size
    assert report["pruned"]["flash_bytes"] <= 128 * 1024 < report["dense"]["flash_bytes"]
    assert "AddDecode" in (output / "tflm/op_resolver.h").read_text()
    with np.load(DIGITS) as digits:
        few = (digits["x_test"][:50],)
    expected = run_litert(plain.read_bytes(), few, kernels="reference").outputs[0].raw
    np.testing.assert_array_equal(run_tflm(encoded.read_bytes(), few).outputs[0].raw, expected)


def test_where_flash_binds_both_means_are_tried_and_the_choice_is_explained(
    wide: Path, tmp_path: Path
) -> None:
    asked = ("--epochs", 10, "--output", tmp_path / "out", "--json")
    ended = run("build", wide, "--device", "cortex-m7", "--data", DIGITS, *BUDGETS, *asked)
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert "tried for an epoch, " in report["sparsity"]["why"]
    assert "unstructured, global" in report["sparsity"]["why"]
    assert "values per output" in report["sparsity"]["why"]
    assert report["sparsity"]["why"] in ended.err.replace("\n", " ")
    assert report["pruned"]["flash_bytes"] <= 128 * 1024
    chose_zeros = report["sparsity"]["why"].startswith("Zeros")
    assert chose_zeros == bool(report["sparsity"]["kernels"])


def test_zeros_without_gain_end_before_any_work(tmp_path: Path) -> None:
    asked = ("--mask", "2:4", "--output", tmp_path / "out")
    ended = run("build", "--device", "cortex-m7", *asked)
    assert (ended.code, ended.out) == (3, "")
    assert "2:4 buys nothing on tflm on cortex-m7" in ended.err
    assert "--accept no-gain" in ended.err
    assert "train the embedded example" not in ended.err
    assert not (tmp_path / "out").exists()


def test_sparsify_says_what_its_zeros_saved(wide: Path, tmp_path: Path) -> None:
    output = tmp_path / "sparse.keras"
    asked = ("--sparsity", 0.9, "--epochs", 2, "--device", "cortex-m7", "--data", DIGITS, "--output", output)
    ended = run("sparsify", wide, *asked, "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert output.exists()
    assert document["sparsity"] == pytest.approx(0.9, abs=1e-3)
    assert document["sparse"]["tflite_bytes"] < 0.5 * document["dense"]["tflite_bytes"]
    assert document["accuracy"]["sparse"] > 0.9


def test_clusters_that_are_asked_for_are_stored_as_short_indices(wide: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    asked = ("--clusters", 16, "--flash-kib", 152, "--epochs", 3, "--output", output, "--json")
    ended = run("build", wide, "--device", "cortex-m7", "--data", DIGITS, "--latency-ms", 1000, *asked)
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["steps"][-1]["kind"] == "clusters"
    assert report["sparsity"]["why"].startswith("Clusters, as asked")
    plain, encoded = (output / name for name in ("model.tflite", "model_encoded.tflite"))
    assert encoded.stat().st_size < 0.7 * plain.stat().st_size
    with np.load(DIGITS) as digits:
        few = (digits["x_test"][:50],)
    expected = run_litert(plain.read_bytes(), few, kernels="reference").outputs[0].raw
    np.testing.assert_array_equal(run_tflm(encoded.read_bytes(), few).outputs[0].raw, expected)


def test_clusters_and_zeros_exclude_each_other_and_need_a_runtime_that_unpacks(tmp_path: Path) -> None:
    both = run("build", "--device", "cortex-m7", "--clusters", 16, "--sparsity", 0.5)
    assert both.code == 2
    assert "choose one" in both.err
    phone = run("build", "--device", "pixel-6", "--clusters", 16, "--output", tmp_path / "out")
    assert phone.code == 3
    assert "clusters buy nothing on litert on pixel-6" in phone.err


POINTWISE = """
import sys
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
image = keras.Input((8, 8, 1))
x = layers.Concatenate()([layers.UpSampling2D(2)(image)] * 3)
x = layers.ReLU(6.0)(layers.Conv2D(16, 3, strides=2)(layers.ZeroPadding2D(1)(x)))
for width in (64, 64, 64):
    x = layers.ReLU(6.0)(layers.Conv2D(width, 1)(x))
    x = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same")(x))
x = layers.Conv2D(64, 1)(x)
model = keras.Model(image, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
digits = np.load(sys.argv[2])
model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=3, verbose=0)
model.save(sys.argv[1])
"""


def test_a_float_build_for_a_phone_leaves_zeros_out_where_sparse_kernels_take_them(tmp_path: Path) -> None:
    model, output = tmp_path / "pointwise.keras", tmp_path / "out"
    subprocess.run(
        [sys.executable, "-c", POINTWISE, str(model), str(DIGITS)], check=True, capture_output=True
    )
    asked = (
        "--scheme",
        "none",
        "--sparsity",
        0.9,
        "--epochs",
        2,
        "--max-drop",
        1,
        "--output",
        output,
        "--json",
    )
    ended = run("build", model, "--device", "pixel-6", "--data", DIGITS, *asked)
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    plain, encoded = (output / name for name in ("model.tflite", "model_encoded.tflite"))
    assert encoded.stat().st_size < 0.6 * plain.stat().st_size
    assert report["pruned"]["tflite_bytes"] == encoded.stat().st_size
    assert report["sparsity"]["stored"]
    library = tmp_path / "library"
    written = run("firmware", output, "--project", "android", "--output", library, "--json")
    assert written.code == 0, written.err
    assert "expected outputs from" in json.loads(written.out)["golden_origin"]
    assert (library / "src/main/assets/edgeprune_model.tflite").read_bytes() == encoded.read_bytes()
