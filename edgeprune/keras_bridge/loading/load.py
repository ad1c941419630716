"""Opens a saved model: checks the file first, then lets Keras build it, and runs no code from it."""

import io
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf
from keras.src.saving.serialization_lib import SafeModeScope

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.archive import (
    ModelFile,
    find_weights,
    read_model_file,
    read_weights_member,
    replace_config,
)
from edgeprune.keras_bridge.loading.custom import import_custom
from edgeprune.keras_bridge.loading.keras2 import build_model
from edgeprune.keras_bridge.loading.keras2_training import compile_as_in_keras2
from edgeprune.keras_bridge.loading.keras2_weights import (
    give_archive_weights,
    give_weights,
    read_hdf5_weights,
)
from edgeprune.keras_bridge.loading.keras3 import name_operations, name_root_functional
from edgeprune.keras_bridge.loading.named_objects import (
    Names,
    find_foreign_object,
    refuse_code,
    refuse_names,
)
from edgeprune.keras_bridge.loading.saved_model import read_weights
from edgeprune.keras_bridge.loading.sizes import bounded_weights, measure_stored, refuse_huge, refuse_sizes
from edgeprune.keras_bridge.loading.tfmot import bare_wrappers
from edgeprune.keras_bridge.model.finite import refuse_not_finite
from edgeprune.keras_bridge.model.inference_form import refuse_stateful, to_inference_form
from edgeprune.keras_bridge.model.input_shapes import (
    assume_image,
    check_graph,
    check_shapes,
    fix_assumed,
    fix_input_shapes,
)
from edgeprune.keras_bridge.model.scope_names import refuse_unscoped
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


_SHORT_METRICS = ("accuracy", "acc", "crossentropy", "ce")
"""Names that `compile` takes and Keras turns into metrics by the loss."""
_COMPILED = ("optimizer", "loss", "metrics", "weighted_metrics")


def load_model(
    path: Path, *, options: LoadOptions | None = None, progress: Progress | None = None
) -> keras.Model:
    """The model in a file or directory, compiled as it was saved where that can be restored.

    Opens `.keras`, `.h5` and `.hdf5` files, SavedModel directories of Keras 2, and `.json` configs with
    weights beside them; from Keras 2 or 3.

    Args:
        path: the file or directory.
        options: custom layers, trust, and input shapes; none by default.
        progress: is told when the model could not be compiled as it was saved.

    Raises:
        ModelError: the file is missing, damaged, dangerous or holds code; Keras cannot rebuild the model; or
            the model is subclassed, has not been built, or has an input whose shape is not fixed.
    """
    options, progress = options or LoadOptions(), progress or Silent()
    custom = import_custom(options.custom)
    where = str(path)
    saved = read_model_file(path)
    saved = replace(saved, config=bare_wrappers(saved.config, where=where))
    if not options.trust:
        refuse_code({"model": saved.config, "compiled": saved.compiled}, where=where)
    names = Names(
        known={*keras.saving.get_custom_objects(), *custom},
        trust=options.trust,
        keras2=not is_keras3(saved),
    )
    refuse_names(saved.config, names, where=where)
    refuse_sizes(saved.config, where=where)
    with _quiet(), SafeModeScope(safe_mode=not options.trust), keras.saving.custom_object_scope(custom):
        source = find_weights(path, given=options.weights) if saved.form == "json" else path
        with bounded_weights(measure_stored(source), where=where):
            if names.keras2:
                model = _open_keras2(path, saved, options, custom=custom, names=names, source=source)
            else:
                model = _open_keras3(path, saved, options, names=names, source=source)
        if saved.compiled is not None and not model.compiled:
            _settle_compiled(
                model, saved.compiled, names=names, options=options, path=path, progress=progress
            )
        return settle_shapes(model, options, where=where, progress=progress)


def _settle_compiled(
    model: keras.Model,
    compiled: Any,
    *,
    names: Names,
    options: LoadOptions,
    path: Path,
    progress: Progress,
) -> None:
    """Compiles the model with what of its loss and metrics is known, and says what is not.

    Raises:
        ModelError: its loss is not known, and is needed.
    """
    parts = compiled if isinstance(compiled, dict) else {}
    if isinstance(compiled, dict) and not any(parts.get(key) for key in _COMPILED):
        return  # Keras notes an empty form for a model that was never compiled
    foreign = find_foreign_object(_loss_of(parts), names)
    unknown = foreign.plain_name if foreign is not None else _name_function(parts.get("loss"))
    if not unknown and parts.get("loss") is not None:
        kept = {
            key: parts.get(key)
            for key in ("optimizer", "loss", "loss_weights")
            if find_foreign_object({key: parts.get(key)}, names) is None
        }
        with suppress(*KERAS_FAILURES):
            model.compile_from_config(kept)
    if not model.compiled and parts.get("loss") is not None and options.needs_loss:
        name = unknown.rpartition(">")[2]  # of "package>name", as Keras registers it
        raise ModelError(
            f"it was compiled with the loss '{name}', which Keras does not know",
            where=str(path),
            why="recovery would minimise something else than the model was trained with",
            fix=f"pass --custom file.py:{name}, where its code is, or choose one with --loss",
        )
    lost = _find_lost_metric(parts, names)
    if model.compiled and lost:
        progress.warn(
            f"{path}: the metric '{lost}' is no part of Keras and was left out; "
            f"--custom file.py:{lost} brings it back"
        )
    elif not model.compiled:
        progress.warn(
            f"{path}: its loss and metrics could not be restored, so they are taken from the "
            "output's shape or from --loss and --metric"
        )


def _find_lost_metric(parts: Mapping[str, Any], names: Names) -> str:
    """The first of the compiled metrics that is not known, as its code names it; "" if all are."""
    given = {key: parts.get(key) for key in ("metrics", "weighted_metrics")}
    lost = find_foreign_object(given, names)
    name = lost.plain_name if lost is not None else _name_metric(given)
    return name.rpartition(">")[2]


def _name_metric(given: Any) -> str:
    """The first name in serialized metrics that is no metric of Keras; `.h5` files have names alone."""
    if isinstance(given, str):
        if given in keras.saving.get_custom_objects():
            return ""
        try:
            keras.metrics.get(given)
        except ValueError:
            return "" if given in _SHORT_METRICS else given
        return ""
    if isinstance(given, dict) and "class_name" in given:
        return str(given.get("config")) if given["class_name"] == "function" else ""
    parts = given.values() if isinstance(given, dict) else given if isinstance(given, list | tuple) else ()
    return next((name for name in map(_name_metric, parts) if name), "")


def _name_function(loss: Any) -> str:
    """The first name in a serialized loss, of one output or of several, that is no loss of Keras."""
    if isinstance(loss, str):
        if loss in keras.saving.get_custom_objects():
            return ""
        try:
            keras.losses.get(loss)
        except ValueError:
            return loss
        return ""
    if isinstance(loss, dict) and "class_name" in loss:  # classes are told by `find_foreign_object`
        return str(loss.get("config")) if loss["class_name"] == "function" else ""
    parts = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, list | tuple) else ()
    return next((name for name in map(_name_function, parts) if name), "")


def settle_shapes(model: keras.Model, options: LoadOptions, *, where: str, progress: Progress) -> keras.Model:
    """The model in float32 with inputs of a fixed shape: itself, or one of the same weights.

    Args:
        model: any; it is not changed.
        options: the shapes that somebody gave.
        where: the file, for messages.
        progress: is told what shape was taken.

    Raises:
        ModelError: the model has no graph of layers, has weights that are no numbers to compute with, is
            stateful, cannot be brought into float32, or a shape stays open.
    """
    check_graph(model, where=where)
    refuse_unscoped(model, where=where)
    refuse_huge(model, where=where)
    refuse_not_finite(model, where=where)
    if not options.allow_state:
        refuse_stateful(model, where=where)
    model = to_inference_form(model, where=where)
    if options.input_shapes:
        model = fix_input_shapes(model, options.input_shapes, where=where)
    elif options.assume_image and (assumed := assume_image(model)):
        model = fix_assumed(model, where=where)
        said = ", ".join("×".join(map(str, shape)) for shape in assumed)
        progress.note(f"{where}: height and width are open; taken as {said} (--input-shape sets another)")
    check_shapes(model, where=where)
    return model


def is_keras3(saved: ModelFile) -> bool:
    """Whether Keras 3 wrote the file. Its configs name modules, and its JSON no version."""
    if saved.form in ("keras", "json") and not saved.keras:
        return "module" in saved.config
    return saved.keras.startswith("3")


def _open_keras3(
    path: Path, saved: ModelFile, options: LoadOptions, *, names: Names, source: Path
) -> keras.Model:
    if saved.form == "json":
        config = name_root_functional(saved.config, names=names)
        model = _guard(lambda: _from_config(config, options), path)
        _guard(lambda: model.load_weights(source), source)
        return model
    compilable = (
        saved.compiled is not None
        and find_foreign_object(saved.compiled, names) is None
        and not (saved.form == "h5" and _names_unknown_functions(saved.compiled))
    )
    with _translated(path, saved, names=names) as readable:
        if compilable:
            with suppress(*KERAS_FAILURES):
                return keras.models.load_model(readable, compile=True, safe_mode=not options.trust)
        return _guard(
            lambda: keras.models.load_model(readable, compile=False, safe_mode=not options.trust), path
        )


def _from_config(config: dict[str, Any], options: LoadOptions) -> keras.Model:
    known = ("module", "class_name", "config", "registered_name", "build_config")
    plain = {key: value for key, value in config.items() if key in known}
    return keras.saving.deserialize_keras_object(plain, safe_mode=not options.trust)


def _open_keras2(
    path: Path,
    saved: ModelFile,
    options: LoadOptions,
    *,
    custom: Mapping[str, Any],
    names: Names,
    source: Path,
) -> keras.Model:
    where = str(path)
    made = _guard(lambda: build_model(saved.config, custom=custom, where=where), path)
    if saved.form == "saved_model":
        give_weights(made, read_weights(path), where=where)
    elif saved.form == "keras":
        with h5py.File(io.BytesIO(read_weights_member(path)), "r") as file:
            give_archive_weights(made, file, where=where)
    else:
        with h5py.File(source, "r") as file:
            listed = any(key.startswith("layer_names") for key in file.attrs)
            if listed or saved.form == "h5":
                give_weights(made, read_hdf5_weights(file, where=str(source)), where=where)
            else:
                give_archive_weights(made, file, where=where)
    if saved.compiled is not None and find_foreign_object(_loss_of(saved.compiled), names) is None:
        with suppress(*KERAS_FAILURES):
            compile_as_in_keras2(made.model, saved.compiled, custom=custom)
    return made.model


def _loss_of(compiled: Mapping[str, Any]) -> dict[str, Any]:
    return {"loss": compiled.get("loss")}


def _names_unknown_functions(compiled: Any) -> bool:
    """Whether a loss or metric is a mere name, and not one of Keras: it would compile, and fail in use."""
    parts = compiled if isinstance(compiled, dict) else {}
    given = {key: parts.get(key) for key in ("metrics", "weighted_metrics")}
    return bool(_name_function(parts.get("loss")) or _name_metric(given))


def _guard(open_: Callable[[], Any], path: Path) -> Any:
    try:
        return open_()
    except KERAS_FAILURES as error:
        raise _explain(error, path=path) from error


@contextmanager
def _translated(path: Path, saved: ModelFile, *, names: Names) -> Iterator[Path]:
    """A file that Keras reads: `path` itself, or a copy under a name or with a config that it understands."""
    config = name_root_functional(saved.config, names=names)
    config = name_operations(config) if saved.form == "h5" else config
    if config == saved.config and path.suffix in (".keras", ".h5", ".hdf5"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as directory:
        copy = Path(directory, "model").with_suffix(path.suffix.lower())
        shutil.copyfile(path, copy)
        if config != saved.config:
            replace_config(copy, config, form=saved.form)
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
