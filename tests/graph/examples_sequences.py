"""Examples of recurrent layers and attention; see `examples.py`."""

from collections.abc import Callable

import keras

SEQUENCES: dict[str, Callable[[], keras.Model]] = {}
