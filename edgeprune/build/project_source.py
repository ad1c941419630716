"""What firmware is made from: a build's output directory, a project's, or a `.tflite` file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from edgeprune.config.budgets import BUDGETS
from edgeprune.errors import DataError, ModelError, OpError, RecipeError
from edgeprune.files import refuse_special
from edgeprune.firmware.c.project import DESCRIPTION
from edgeprune.runtimes.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.runtimes.golden import Golden, RunFile, draw_inputs, load_golden, record_golden
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.delegates import GPU
from edgeprune.tflite.model import Model

_RANDOM_SEED = 0


def find_file(source: Path) -> Path:
    """The `.tflite` file itself, or that of a folder, as it was before weights were encoded.

    Raises ModelError where the folder has none.
    """
    if not source.is_dir():
        return source
    if not (source / "model.tflite").is_file():
        raise ModelError(
            "there is no model.tflite in the folder",
            where=str(source),
            fix="give a .tflite file, or the folder that a build or 'edgeprune firmware --runtime c' wrote",
        )
    return source / "model.tflite"


def find_flashed_file(source: Path) -> Path:
    """The same as it is flashed where TFLM runs it. Raises OpError for what Vela compiled."""
    if source.is_dir() and (source / "model_vela.tflite").exists():
        raise OpError(
            "a project cannot hold what Vela compiled",
            where=str(source),
            why="it needs the driver of the NPU",
            fix="take the files of its tflm/ folder into the vendor's project",
        )
    encoded = source / "model_encoded.tflite"
    return encoded if encoded.exists() else find_file(source)


def find_device(source: Path) -> str:
    """The device that a build or a project was for.

    Raises:
        RecipeError: it is a `.tflite` file, which does not say.
        ModelError: it is another file, or the folder does not say either.
    """
    if not source.exists():
        raise ModelError("there is no such file or folder", where=str(source), fix="check the path")
    if not source.is_dir() and source.suffix != ".tflite":
        raise ModelError(
            "is no .tflite file and no folder of a build",
            where=str(source),
            fix="give the folder that a build wrote, or a .tflite file with --device",
        )
    if not source.is_dir():
        raise RecipeError(
            "a .tflite file does not say which device it is for", where=str(source), fix="give --device"
        )
    try:
        if (source / DESCRIPTION).is_file():
            return str(json.loads((source / DESCRIPTION).read_text("utf-8"))["device"])
        refuse_special(source / "report.json", ModelError)
        return str(json.loads((source / "report.json").read_text("utf-8"))["device"]["id"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(
            "is no output of edgeprune build or edgeprune firmware",
            where=str(source),
            why=f"its report.json or {DESCRIPTION} is missing or damaged",
            fix="give the folder that a build wrote, or a .tflite file with --device",
        ) from error


def find_budgets(source: Path) -> dict[str, float]:
    """What a build had to keep to, by the keys of `BUDGETS`; empty for what is no build.

    Raises:
        ModelError: its report is damaged.
    """
    with _reading(source):
        limits = {check["name"]: check["budget"] for check in _read_report(source).get("checks", ())}
        return {
            kind.key: limits[name] / kind.scale
            for name, kind in BUDGETS.items()
            if limits.get(name) is not None
        }


def find_delegate(source: Path) -> Literal["gpu"] | None:
    """What a build's files were made for, as `--delegate` says it; None for the CPU and what is no build.

    Raises:
        ModelError: its report is damaged.
    """
    with _reading(source):
        return "gpu" if _read_report(source).get("settings", {}).get("delegate") == GPU else None


def find_shortfall(source: Path) -> str:
    """What a build says that did not meet its budgets; "" of one that did, and for what is no build.

    Raises:
        ModelError: its report is damaged.
    """
    with _reading(source):
        report = _read_report(source)
        return "" if report.get("verdict", True) else str(report["sentence"])


def _read_report(source: Path) -> dict[str, Any]:
    report = source / "report.json"
    return dict(json.loads(report.read_text("utf-8"))) if report.is_file() else {}


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            "is no output of edgeprune build",
            where=str(source),
            why="its report.json is damaged",
            fix="give a .tflite file with --device",
        ) from error


def find_golden(
    source: Path, tflite: bytes, model: Model, *, data: str | None, samples: int, run_file: RunFile
) -> Golden:
    """Golden samples: of the data, else of the build, else of random inputs.

    Args:
        source: a build's output directory, or a `.tflite` file.
        tflite: the file's bytes.
        model: the same, read.
        data: where inputs come from, as `load_data` takes it.
        samples: how many.
        run_file: what gives the outputs, where the build did not keep them.

    Raises:
        DataError: there are fewer, or they belong to another model.
        ToolError: the runtime is not installed, or failed.
    """
    if not model.inputs:
        samples = 1  # it gives the same each time
    if data is not None:
        inputs, labels = _load_inputs(data, model)
        golden = record_golden(
            tflite,
            as_real(tflite, inputs),
            samples=samples,
            origin="Test data",
            labels=labels,
            run_file=run_file,
        )
    elif source.is_dir():
        golden = load_golden(source / GOLDEN_FILE, model).take(samples)
    else:
        inputs = draw_inputs(model, samples=samples, seed=_RANDOM_SEED)
        origin = f"Random inputs, seed {_RANDOM_SEED}"
        golden = record_golden(tflite, inputs, samples=samples, origin=origin, run_file=run_file)
    if golden.samples < samples:
        raise DataError(
            f"there are {golden.samples} golden samples, not {samples}",
            where=data or str(source),
            fix="ask for fewer with --samples, or give more with --data",
        )
    return golden


GOLDEN_FROM = 1024
"""Test samples that golden ones are chosen of."""


def _load_inputs(data: str, model: Model) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    from edgeprune.keras_bridge.data.dataset import load_data
    from edgeprune.keras_bridge.data.parts import interface_of_file

    loaded = load_data(data, interface=interface_of_file(model), seed=_RANDOM_SEED)
    return loaded.take_test(GOLDEN_FROM).x, loaded.class_names or ()
