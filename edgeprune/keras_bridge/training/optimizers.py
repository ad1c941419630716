"""The optimizer of recovery: the owner's where the model was compiled with one, Adam otherwise."""

from dataclasses import dataclass, field, replace
from typing import Any

import keras

from edgeprune.errors import UnknownNameError

USUAL_RATE = 1e-3
_STARTS = ("initial_learning_rate", "warmup_target", "values")
"""Where the configs of Keras's schedules keep what their learning rates begin with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimizing:
    """An optimizer that can be made again and again.

    Attributes:
        kind: the class.
        settings: its config, without the learning rate.
        learning_rate: the largest one; the course of it is edgeprune's.
        origin: a clause that says where it comes from.
        is_asked: whether somebody gave the learning rate.
    """

    kind: type[Any] = keras.optimizers.Adam
    settings: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = USUAL_RATE
    origin: str = "edgeprune's"
    is_asked: bool = False

    def make(self) -> Any:
        """A new optimizer of Keras."""
        return self.kind.from_config({**self.settings, "learning_rate": self.learning_rate})

    def describe(self) -> str:
        """For the report."""
        return f"{self.kind.__name__}, learning rate {self.learning_rate:g} ({self.origin})"


def choose_optimizer(
    compiled: Any, *, name: str | None = None, learning_rate: float | None = None
) -> Optimizing:
    """What `--optimizer` and `--learning-rate` say, else as the model was compiled, else Adam.

    Args:
        compiled: the model's optimizer, or None.
        name: of a class of `keras.optimizers`, in any case.
        learning_rate: the largest.

    Raises:
        UnknownNameError: there is no such optimizer.
    """
    if name is not None:
        chosen = Optimizing(kind=_find(name), origin="from --optimizer")
    elif compiled is not None:
        rate = _start_of(compiled)
        settings = {key: value for key, value in compiled.get_config().items() if key != "learning_rate"}
        chosen = Optimizing(kind=type(compiled), settings=settings, learning_rate=rate, origin="as compiled")
    else:
        chosen = Optimizing()
    if learning_rate is not None:
        chosen = replace(chosen, learning_rate=learning_rate, origin="from --learning-rate", is_asked=True)
    return chosen


def _find(name: str) -> type[Any]:
    known = {
        key.lower(): value
        for key, value in vars(keras.optimizers).items()
        if isinstance(value, type)
        and issubclass(value, keras.optimizers.Optimizer)
        and value not in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
    }
    if name.lower() not in known:
        raise UnknownNameError("optimizer", name, known)
    return known[name.lower()]


def _start_of(optimizer: Any) -> float:
    """The learning rate that an optimizer began with: where it has a schedule, the largest of that."""
    rate = optimizer.get_config().get("learning_rate", USUAL_RATE)
    if isinstance(rate, dict):  # a schedule, serialized
        found = [rate["config"].get(key) for key in _STARTS]
        flat = [v for value in found for v in (value if isinstance(value, list | tuple) else [value])]
        numbers = [float(value) for value in flat if value is not None]
        rate = max(numbers) if numbers else USUAL_RATE
    return float(rate)
