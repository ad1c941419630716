"""Choices that hypothesis makes."""

from typing import Any

from hypothesis import strategies as st
from keras_bridge.law import Draw


class Chooser:
    """Draws one thing of several."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def choose(self, *options: Any) -> Any:
        return self._draw(st.sampled_from(options))

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def order(self, count: int) -> list[int]:
        """The numbers from 1 to `count` in any order."""
        return self._draw(st.permutations(range(1, count + 1)))
