"""Examples of operations of `keras.ops`; see `examples.py`."""

from collections.abc import Callable

import keras

OPS: dict[str, Callable[[], keras.Model]] = {}
