"""Where a layer's channels lie: along the last axis, or along the first with data_format channels_first."""

import numpy as np

from edgeprune.graph.channel_ids import ChannelSpace, Ids, Inner, fixed
from edgeprune.graph.layers.rules import Call, Config
from edgeprune.graph.opshape import Shape


def is_channels_first(config: Config) -> bool:
    """Whether a config says that channels come before rows and columns."""
    return config.get("data_format") == "channels_first"


def read_channels(call: Call) -> Ids:
    """Ids along the channel axis of the first input; what lies along the others stays."""
    along = (*call.inner[0], call.inputs[0])
    axis = 0 if is_channels_first(call.layer.config) else len(along) - 1
    for k, ids in enumerate(along):
        if k != axis and ids is not None:
            reason = f"channels along axis {k + 1}, which {call.layer.kind} does not follow"
            call.space.freeze(ids, f"{reason} (layer '{call.layer.name}')")
    ids = along[axis]
    return fixed(call.input_shapes[0][axis]) if ids is None else ids


def lay_channels(call: Call, ids: Ids) -> tuple[Ids, Inner]:
    """Ids along the last axis and along the others of an output whose channels are `ids`."""
    shape = call.output_shapes[0]
    if len(shape) > 1 and is_channels_first(call.layer.config):
        return fixed(shape[-1]), (ids, *(None,) * (len(shape) - 2))
    return ids, (None,) * (len(shape) - 1)


def tie_columns(space: ChannelSpace, ids: Ids, groups: int) -> None:
    """Channel j of every one of `groups` groups can only go together with channel j of the others."""
    rows = ids.reshape(groups, -1)
    space.tie(np.broadcast_to(rows[0], rows[1:].shape), rows[1:])


def shape_in_tflite(shape: Shape, config: Config) -> Shape:
    """The shape as an op sees it: batch in front, channels last, a sequence as an image of height 1."""
    if is_channels_first(config) and len(shape) > 1:
        shape = (*shape[1:], shape[0])
    return (1, 1, *shape) if len(shape) == 2 else (1, *shape)
