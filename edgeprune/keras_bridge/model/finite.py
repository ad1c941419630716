"""Whether the numbers of a model are such as can be computed with."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.ranges import LARGEST


def refuse_not_finite(model: keras.Model, *, where: str) -> None:
    """Raises ModelError for weights that hold NaN, infinity or numbers near it: which, and how many.

    Args:
        model: any.
        where: the file, for messages.
    """
    for variable in model.variables:
        if not keras.backend.is_float_dtype(variable.dtype):
            continue
        values = np.asarray(variable)
        wrong = find_not_finite(values)
        if wrong:
            raise ModelError(
                f"the weight '{variable.path}' holds {wrong}",
                where=where,
                why=f"numbers up to {LARGEST:g} can be computed with",
                fix="go back to a checkpoint from before training diverged, or set these weights",
            )


def find_not_finite(values: NDArray[np.floating[Any]]) -> str:
    """Which values cannot be computed with, and how many of them, as a clause; "" if all can be."""
    values = values.astype(np.float32, copy=False)
    # The comparison is false for NaN, too.
    wrong = values[~(np.abs(values) <= LARGEST)]
    if not wrong.size:
        return ""
    count = f"{wrong.size} of {values.size} values"
    if np.isnan(wrong).any():
        return f"NaN ({count} are no numbers to compute with)"
    if np.isinf(wrong).any():
        return f"infinity ({count} are no numbers to compute with)"
    return f"{wrong[np.argmax(np.abs(wrong))]:.3g} ({count} are beyond what can be computed with)"
