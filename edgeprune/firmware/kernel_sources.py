"""Which source files of TFLM hold the kernel of an op.

Names follow tensorflow/tflite-micro at 90b983c (August 2026); a test compares them with a source tree.
"""

from collections.abc import Iterable

from edgeprune.errors import OpError

_DECODE_STATES = ("decode_state", "decode_state_huffman", "decode_state_lut", "decode_state_prune")

_ELSEWHERE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ABS", "COS", "LOG", "RSQRT", "SIN", "SQRT", "SQUARE"), ("elementwise",)),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), ("arg_min_max",)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), ("pooling",)),
    **dict.fromkeys(
        ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), ("comparisons",)
    ),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR"), ("logical",)),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), ("maximum_minimum",)),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN"), ("reduce",)),
    **dict.fromkeys(("RELU", "RELU6"), ("activations",)),
    "CONV_2D": ("conv",),
    "DEPTHWISE_CONV_2D": ("conv_common", "depthwise_conv"),
    "L2_NORMALIZATION": ("l2norm",),
    "LOGICAL_NOT": ("elementwise",),
    "PADV2": ("pad",),
    "REVERSE_V2": ("reverse",),
    "SELECT_V2": ("select",),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("fully_connected", "lstm_eval", "unidirectional_sequence_lstm"),
    "CUSTOM:CIRCULAR_BUFFER": ("circular_buffer", "circular_buffer_flexbuffers_generated_data"),
    "CUSTOM:TFLM_DECODE": ("decode", *_DECODE_STATES),
    "CUSTOM:TFLite_Detection_PostProcess": (
        "detection_postprocess",
        "detection_postprocess_flexbuffers_generated_data",
    ),
}
"""Ops whose files are not named like them."""


def list_kernels(ops: Iterable[str]) -> tuple[str, ...]:
    """Names in `tensorflow/lite/micro/kernels`, sorted: `conv` stands for `conv.cc` and `conv_common.cc`.

    Args:
        ops: names, as in `Op.name`.

    Raises:
        OpError: the kernel lies outside that folder.
    """
    found: set[str] = set()
    for op in ops:
        if op in _ELSEWHERE:
            found.update(_ELSEWHERE[op])
        elif op.startswith("CUSTOM:"):
            raise OpError(
                f"the CMake project does not compile the op {op.removeprefix('CUSTOM:')}",
                why="its sources are no part of TFLM's kernels",
                fix="take the files of the build's tflm/ folder into a project that has them",
            )
        else:
            found.add(op.lower())
    return tuple(sorted(found))
