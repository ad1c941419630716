"""How a model file is opened: what the user adds to what the file says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprune.errors import RecipeError


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOptions:
    """What `--custom`, `--trust`, `--input-shape` and `--weights` say.

    Attributes:
        custom: "module:object" of layer classes, functions and layer rules to import.
        trust: whether code inside the file may run.
        input_shapes: the shape of each input, batch left out; empty for the file's own.
        weights: the file of weights that belongs to a `.json` config; None to look beside it.
        needs_loss: whether a loss that cannot be restored is refused, since the model is to be trained by it.
        assume_image: whether an image whose height and width are open may be taken as 224 × 224, with a note;
            what needs no device can do with any size.
        allow_state: whether recurrent layers may be stateful; neither batches of data nor `.tflite` files go
            with that.
    """

    custom: tuple[str, ...] = ()
    trust: bool = False
    input_shapes: tuple[tuple[int, ...], ...] = ()
    weights: Path | None = None
    needs_loss: bool = False
    assume_image: bool = False
    allow_state: bool = False


AS_SAVED = LoadOptions()
"""Nothing is added to what the file says."""


def parse_load_options(
    *,
    custom: Sequence[str] | None = None,
    trust: bool | None = None,
    input_shape: Sequence[str] | None = None,
    weights: str | Path | None = None,
) -> LoadOptions:
    """The options as they stand on a command line or in a recipe. Raises RecipeError."""
    return LoadOptions(
        custom=tuple(custom or ()),
        trust=bool(trust),
        input_shapes=tuple(_parse_shape(text) for text in input_shape or ()),
        weights=None if weights is None else Path(weights),
    )


def _parse_shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in text.replace("x", ",").strip("()[] ").split(",") if size.strip())
    except ValueError as error:
        raise _bad_shape(text) from error
    if not shape or min(shape) < 1:
        raise _bad_shape(text)
    return shape


def _bad_shape(text: str) -> RecipeError:
    return RecipeError(
        f"--input-shape '{text}' is no shape", fix="give positive sizes without the batch: 224,224,3"
    )
