"""How a model is trained and judged, as somebody says it."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from edgeprune.errors import RecipeError

Mode = Literal["min", "max"]
Distribute = Literal["mirrored", "multiworker"]

USUAL_EPOCHS = 16
"""What trials are sized by where recovery goes on as long as it gains."""
USUAL_BATCH = 32
"""Samples per batch where nobody says otherwise, as `Model.fit` has it; streams have their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """What is said; None where the model or the data decide.

    Attributes:
        loss: a name, or "output=name,…".
        metric: names with commas between, each perhaps "output=name"; the first decides.
        metric_mode: whether less ("min") or more ("max") of it is better.
        optimizer: a name of Keras.
        learning_rate: the largest.
        batch_size: samples per step.
        steps_per_epoch: batches in one pass of data that do not end.
        train: "module:function" of a training loop of one's own.
        mixed_precision: whether recovery computes in bfloat16, with weights in float32; None for on GPUs that
            have kernels for it.
        distribute: whether all devices ("mirrored") or all machines ("multiworker") share each step.
    """

    loss: str | None = None
    metric: str | None = None
    metric_mode: Mode | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    steps_per_epoch: int | None = None
    train: str | None = None
    mixed_precision: bool | None = None
    distribute: Distribute | None = None

    def __post_init__(self) -> None:
        """Raises RecipeError for a number that cannot be."""
        for name in ("batch_size", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RecipeError(f"{name} is {value}", fix="give at least 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise RecipeError(f"learning_rate is {self.learning_rate}", fix="give a number above 0")
        if self.metric_mode not in (None, "min", "max"):
            raise RecipeError(f"metric_mode is {self.metric_mode}", fix="choose min or max")
        if self.distribute not in (None, "mirrored", "multiworker"):
            raise RecipeError(f"distribute is {self.distribute}", fix="choose mirrored or multiworker")


@dataclass(frozen=True, kw_only=True, slots=True)
class Duration:
    """How long recovery takes.

    Attributes:
        goes_on: whether it goes on as long as the validation metric gains; else its epochs are given.
        minutes: what it may take; None for any time.
    """

    goes_on: bool = False
    minutes: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether its number of steps is not known beforehand."""
        return self.goes_on or self.minutes is not None


AS_GIVEN = Duration()
"""As many epochs as somebody says."""

AS_COMPILED = TrainingOptions()
"""Nothing is said."""


def pick_training(options: Any) -> TrainingOptions:
    """The options of training among others."""
    return TrainingOptions(**{item.name: getattr(options, item.name) for item in fields(TrainingOptions)})
