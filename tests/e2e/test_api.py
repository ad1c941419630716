"""The API on a model and arrays in memory: one road with the command line, down to the bytes."""

import html
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e.conftest import COMMAND, DIGITS, ENVIRONMENT

# A session as people have them: other models before, a model trained here, no name given to its input.
SESSION = """
import json, sys
import keras, numpy as np
from keras import layers
import edgeprune
from edgeprune.errors import InfeasibleError

digits = dict(np.load(sys.argv[1]))
keras.utils.set_random_seed(3)
keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dropout(0.5)])
image = keras.Input((8, 8, 1))
x = layers.Dropout(0.2)(layers.Conv2D(12, 3, activation="relu")(image))
x = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, activation="relu")(x))
model = keras.Model(image, layers.Dense(10, activation="softmax")(x), name="mine")
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=2, verbose=0)
model.save("mine.keras")
before = [weights.copy() for weights in model.get_weights()]

arrays = tuple(digits[name] for name in ("x_train", "y_train", "x_test", "y_test"))
asked = dict(device="cortex-m7", latency_ms=0.22, schedule="constant_sparsity", epochs=2)
built = edgeprune.build(model, arrays, max_drop=0.99, **asked)
said = {"written": [str(path) for path in __import__("pathlib").Path.cwd().iterdir()]}
built.save("from_api")
try:
    edgeprune.build(model, digits, max_drop=0.0, learning_rate=1e-9, **asked)
except InfeasibleError as error:
    best = error.best
converted = edgeprune.convert(model, digits, device="cortex-m7")
pruned = edgeprune.prune(model, ratio=0.5)
checked = edgeprune.check(built.tflite, device="cortex-m7", latency_ms=0.22)
said |= {
    "fits": built.fits,
    "latency_ms": built.figures["latency_ms"].value,
    "source": built.figures["latency_ms"].source,
    "html": built._repr_html_(),
    "text": str(built),
    "document": built.to_json(),
    "parameters": [model.count_params(), built.model.count_params(), pruned.model.count_params()],
    "best": [type(best).__name__, best.fits, len(best.tflite) > 0],
    "converted": [converted.fits, converted.output, len(converted.tflite)],
    "checked": [checked.fits, checked.file, checked.figures["latency_ms"].value],
    "unchanged": all((old == new).all() for old, new in zip(before, model.get_weights())),
}
print("@@" + json.dumps(said))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def session(place: Path) -> dict[str, Any]:
    """What a session in a process of its own found."""
    command = [sys.executable, "-c", SESSION, str(DIGITS)]
    run = subprocess.run(command, cwd=place, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("@@")]
    found: dict[str, Any] = json.loads(line[2:])
    return found


@pytest.fixture(scope="module")
def by_command(session: dict[str, Any], place: Path) -> Path:
    """The same request on the command line."""
    (place / "same.toml").write_text('schedule = "constant_sparsity"\n')
    asked = ["--device", "cortex-m7", "--latency-ms", "0.22", "--epochs", "2", "--max-drop", "0.99"]
    command = [*COMMAND, "build", "mine.keras", "--data", str(DIGITS), "--recipe", "same.toml", *asked]
    run = subprocess.run(
        [*command, "--output", "from_command"],
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return place / "from_command"


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    """Keys under which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [found for key in keys for found in differing(one.get(key), other.get(key), f"{path}.{key}")]
    return [] if one == other else [path]


def test_a_build_is_pruned_in_memory_and_writes_nothing_until_asked(session: dict[str, Any]) -> None:
    assert session["fits"] is True
    assert session["latency_ms"] <= 0.22
    assert session["source"] == "estimated"
    whole, built, _ = session["parameters"]
    assert built < whole
    assert [Path(path).name for path in session["written"]] == ["mine.keras"]
    assert session["unchanged"], "the model belongs to its owner"


def test_what_the_api_saves_is_what_the_command_line_writes_but_for_where_it_came_from(
    session: dict[str, Any], place: Path, by_command: Path
) -> None:
    saved = place / "from_api"
    names = sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(by_command) for path in by_command.rglob("*") if path.is_file())
    texts = ("tflm/arena_size.h", "tflm/model_data.cc", "tflm/model_data.h", "tflm/op_resolver.h")
    tell = {"report.json", "report.html", "manifest.json", *texts}
    for name in names:
        ours, theirs = ((folder / name).read_bytes() for folder in (saved, by_command))
        assert (ours == theirs) == (name.as_posix() not in tell), name

    ours, theirs = (json.loads((folder / "report.json").read_text()) for folder in (saved, by_command))
    assert differing(ours, theirs) == [".data.source", ".model.sha256", ".model.source"]
    ours, theirs = (json.loads((folder / "manifest.json").read_text()) for folder in (saved, by_command))
    recorded = [".not_recorded", ".request.data", ".request.model"]
    assert differing(ours, theirs) == [".data_sha256", ".files", ".model_sha256", *recorded, ".sha256"]
    for name in texts:
        ours, theirs = ((folder / name).read_text().splitlines() for folder in (saved, by_command))
        lines = [one for one, other in zip(ours, theirs, strict=True) if one != other]
        assert lines == ["// Pruned from: a Keras model in memory"]


def test_a_notebook_shows_figures_budgets_and_the_verdict(session: dict[str, Any]) -> None:
    page = session["html"]
    assert session["text"].endswith(session["document"]["sentence"])
    assert len(session["text"]) < 3000
    assert "<td>latency</td>" in page
    assert "0.22 ms" in page
    assert session["document"]["sentence"] in html.unescape(page)


def test_the_best_of_a_build_that_fails_is_of_the_class_of_one_that_fits(session: dict[str, Any]) -> None:
    assert session["best"] == ["BuildResult", False, True]


def test_the_other_commands_take_models_and_files_in_memory(session: dict[str, Any]) -> None:
    whole, _, pruned = session["parameters"]
    assert pruned < whole
    fits, output, size = session["converted"]
    assert (fits, output) == (True, None)
    assert size > 0
    assert session["checked"] == [True, "a file in memory", session["latency_ms"]]
