"""Opens a saved model: checks the file first, then lets Keras build it, and runs no code from it."""

import json
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.archive import ModelFile, find_foreign_object, read_model_file
from edgeprune.keras_bridge.keras2 import translate_model
from edgeprune.progress import Progress, Silent

# All that Keras, h5py and TensorFlow were seen to raise for a config or weights they cannot use. Not
# `Exception`: a bug of ours should show.
KERAS_FAILURES = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    OSError,
    EOFError,
    ImportError,
    RuntimeError,  # includes RecursionError and NotImplementedError
    MemoryError,
    tf.errors.OpError,
)


def load_model(path: Path, *, trust: bool = False, progress: Progress | None = None) -> keras.Model:
    """The model in a `.keras`, `.h5` or `.hdf5` file, compiled as it was saved where that can be restored.

    Args:
        path: the file.
        trust: let classes from outside Keras through if the running program has registered them. Lambda
            layers and other code inside the file are refused all the same.
        progress: is told when the model could not be compiled as it was saved.

    Raises:
        ModelError: the file is missing, damaged, dangerous or holds code; Keras cannot rebuild the model; or
            the model is subclassed, has not been built, or has an input whose shape is not fixed.
    """
    progress = progress or Silent()
    saved = read_model_file(path, trust=trust)
    compilable = saved.compiled is not None and (trust or find_foreign_object(saved.compiled) is None)
    with _quiet(), _translated(path, saved) as readable:
        model = _build_compiled(readable) if compilable else None
        if model is None:
            model = _build(readable, name=path)
            if saved.compiled is not None:
                progress.warn(
                    f"{path}: its loss and metrics could not be restored, so they are taken from the "
                    "output's shape or from --loss and --metric"
                )
    _check_model(model, where=str(path))
    return model


def _build_compiled(path: Path) -> keras.Model | None:
    """The model as it was compiled, or None if Keras cannot restore it so; `_build` then says why."""
    try:
        return keras.models.load_model(path, compile=True, safe_mode=True)
    except KERAS_FAILURES:
        return None


def _build(path: Path, *, name: Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except KERAS_FAILURES as error:
        raise _explain(error, path=name) from error


@contextmanager
def _translated(path: Path, saved: ModelFile) -> Iterator[Path]:
    """A file that Keras 3 can read: `path` itself, or a copy of it whose config was translated."""
    config = translate_model(saved.config, where=str(path)) if saved.form == "h5" else saved.config
    if config == saved.config and path.suffix in (".keras", ".h5", ".hdf5"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as directory:
        copy = Path(directory, "model").with_suffix(path.suffix.lower())
        shutil.copyfile(path, copy)
        if config != saved.config:
            with h5py.File(copy, "r+") as file:
                file.attrs["model_config"] = json.dumps(config)
        yield copy


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Keras from printing: what matters is said in our words."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _explain(error: Exception, *, path: Path) -> ModelError:
    """What Keras said, in one sentence, with the layer it said it about."""
    text = str(error)
    found = re.search(
        r"layer #\d+ \(named ([^ )]+)|'name': '([^']+)'|<\w+ name=([^,>]+)|[Ll]ayer '([^']+)'", text
    )
    layer = next((name for name in found.groups() if name), None) if found else None
    unknown = re.search(
        r"(?:Unknown layer:|Could not locate class|Could not deserialize) '?[\w.]*?(\w+)'", text
    )
    if unknown:
        return ModelError(
            f"layer class '{unknown[1]}' is unknown to Keras {keras.__version__}",
            where=str(path),
            fix="build that part from Keras layers and save again",
        )
    what = f"layer '{layer}' cannot be rebuilt" if layer else "Keras cannot rebuild the model"
    return ModelError(
        what,
        where=str(path),
        why=_shorten(text) or type(error).__name__,
        fix="save it again with the Keras it was built with, or from Keras 3",
    )


def _shorten(text: str, *, limit: int = 200) -> str:
    """The telling part of a message of Keras: without the configs it quotes, on one line."""
    cause = text.rpartition("Exception encountered: ")[2] or text
    example = cause.partition("Example error message for object")[2].partition(":\n")[2] or cause
    line = " ".join(example.partition("Full object config")[0].split()).rstrip(".")
    return line if len(line) <= limit else f"{line[:limit].rstrip()} …"


def _check_model(model: keras.Model, *, where: str) -> None:
    """Refuse what cannot be traced: models without a graph, and inputs without a fixed shape."""
    if not isinstance(model, keras.Sequential) and not _has_graph(model):
        raise ModelError(
            f"the model is subclassed ('{type(model).__name__}')",
            where=where,
            why="its layers are called from Python code that a file does not hold",
            fix="build it as keras.Model(inputs, outputs) from Keras layers and save that",
        )
    if not model.built or not _has_graph(model):
        raise ModelError(
            "the model was saved before it was built, so its shapes are unknown",
            where=where,
            fix="start it with keras.Input(shape=...) or call it once on data, and save it again",
        )
    for tensor in model.inputs:
        if any(size is None for size in tensor.shape[1:]):
            raise ModelError(
                f"input '{tensor.name}' has the shape {_describe(tensor.shape)}, which is not fixed",
                where=where,
                why="a device needs every dimension but the batch",
                fix="build the model again with the full shape in keras.Input(shape=...)",
            )


def _has_graph(model: keras.Model) -> bool:
    # An unbuilt Sequential raises AttributeError here, a subclassed model holds None.
    return bool(getattr(model, "inputs", None)) and bool(getattr(model, "outputs", None))


def _describe(shape: Any) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"
