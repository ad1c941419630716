"""Whether LiteRT runs a file, found out by running it once: tables know ops and versions, not every type."""

from functools import lru_cache

import numpy as np

from edgeprune.errors import InputError, ToolError, ToolMissingError, ToolStoppedError
from edgeprune.measuring.refusals import say_without_place
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.litert_choice import explain_unusable
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.model import NUMPY_TYPES
from edgeprune.tflite.read import read_model

_OF_DEVICES = "tflite-runtime"
"""Whose LiteRT profiles of phones and boards name."""


@lru_cache(maxsize=4)
def invoke_once(file: bytes) -> tuple[str, str]:
    """Where a file has been run, as a clause, and why it does not run, as a sentence; "" for each.

    It is run on random numbers, and on zeros if it does not take those.

    Raises:
        ToolStoppedError: it did not end, or was killed.
    """
    model = read_model(file, where="the file")
    if explain_unusable(_OF_DEVICES) or any(tensor.dtype not in NUMPY_TYPES for tensor in model.inputs):
        return "", ""
    drawn = draw_inputs(model, samples=1, seed=0)
    refusal = ""
    for inputs in (drawn, tuple(map(np.zeros_like, drawn))):
        try:
            run = run_litert(file, inputs, package=_OF_DEVICES)
        except (ToolStoppedError, ToolMissingError):
            raise
        except (ToolError, InputError) as error:
            refusal = refusal or say_without_place(error)
        else:
            return f"run once in {run.runtime}", ""
    return "", refusal
