"""A model wherever it is: in a file, or in memory already."""

from pathlib import Path

import keras

from edgeprune.config.build_options import ModelSource
from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError, RecipeError
from edgeprune.files import hash_bytes, read_file
from edgeprune.keras_bridge.loading.custom import import_custom
from edgeprune.keras_bridge.loading.load import load_model, settle_shapes
from edgeprune.progress import Progress, Silent

IN_MEMORY = "a Keras model in memory"
"""What reports call the source of such a model."""


def open_model(
    source: ModelSource, *, options: LoadOptions | None = None, progress: Progress | None = None
) -> keras.Model:
    """The model, checked alike whether it comes from a file or is given as it is.

    Of a given one, only inputs without a name get that of their layer, as they have it in a file.

    Args:
        source: a saved Keras model, or a `keras.Model`.
        options: custom layers, trust, and input shapes; none by default.
        progress: is told what `load_model` says.

    Raises:
        ModelError: it is neither, or it cannot be used.
        RecipeError: weights are given for a model that has its own.
    """
    options, progress = options or LoadOptions(), progress or Silent()
    if isinstance(source, str | Path):
        return load_model(Path(source), options=options, progress=progress)
    if not isinstance(source, keras.Model):
        raise ModelError(
            f"a {type(source).__module__}.{type(source).__qualname__} is no model of Keras 3",
            fix="give a keras.Model or the path of a saved one; files of Keras 2 are translated",
        )
    if options.weights is not None:
        raise RecipeError("a model in memory has its weights", where="weights", fix="leave weights out")
    import_custom(options.custom)
    for tensor in getattr(source, "inputs", None) or ():
        if tensor.name.startswith("keras_tensor"):  # Keras counts these up; in a file they have their layer's
            tensor.name = tensor._keras_history.operation.name
    return settle_shapes(source, options, where=IN_MEMORY, progress=progress)


def name_source(source: ModelSource) -> str:
    """The file's name, or what stands for a model in memory."""
    return Path(source).name if isinstance(source, str | Path) else IN_MEMORY


def describe_source(source: ModelSource) -> str:
    """The path, or what stands for a model in memory."""
    return str(source) if isinstance(source, str | Path) else IN_MEMORY


def hash_source(source: ModelSource, options: LoadOptions) -> str:
    """A hash of all files that the model is in; of a model in memory, of its architecture and weights."""
    if not isinstance(source, str | Path):
        values = (array.tobytes() for array in source.get_weights())
        return hash_bytes(source.to_json().encode(), *values)
    path = Path(source)
    if not path.is_dir():
        weights = () if options.weights is None else (read_file(options.weights),)
        return hash_bytes(read_file(path), *weights)
    files = sorted(found for found in path.rglob("*") if found.is_file())
    return hash_bytes(*(read_file(found) for found in files))
