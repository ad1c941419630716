"""What is to be known of a file before it is used, told from the file alone."""

from collections.abc import Iterator

from edgeprune.tflite.covering import can_hold, find_compared, find_limits
from edgeprune.tflite.model import Model

RESET_NOTE = (
    "the file keeps the state of its recurrent layers from one inference to the next; reset it before each "
    "sample: Reset() of the TFLM interpreter, reset_all_variables() in Python"
)
"""Said of a model that is stateful in TFLite although each call of the Keras model starts from zeros."""

RESOURCES_NOTE = (
    "the file keeps values in resource variables from one inference to the next: a new sequence needs "
    "Reset() of the TFLM interpreter, or a new interpreter of LiteRT, whose reset_all_variables() leaves them"
)


def list_notes(model: Model) -> tuple[str, ...]:
    """The sentences about a file: that it keeps its state, and which comparisons never hold."""
    kept = RESOURCES_NOTE if model.has_resources else RESET_NOTE
    return (*([kept] if model.is_stateful else []), *_note_lost_values(model))


def _note_lost_values(model: Model) -> Iterator[str]:
    for compared in find_compared(model):
        tensor = model.tensors[compared.tensor]
        if tensor.scales.size == 1 and not can_hold(tensor, compared.value):
            low, high = find_limits(tensor)
            yield (
                f"the file compares a tensor with {compared.value:g}, which is no number of its "
                f"{tensor.dtype} range ({low:.4g} to {high:.4g}): if it masks padded steps, none is masked; "
                "let the representative data have padded samples, or mask with 0"
            )
