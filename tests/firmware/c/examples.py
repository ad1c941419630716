"""Small examples of every op the C engine compiles: shapes, paddings, scales and zero points at their ends.

All examples together are one model, so that TFLM, the C compiler and the emulator each run once.
"""

from functools import lru_cache

from tests.firmware.c import (
    examples_elements,
    examples_matrices,
    examples_more,
    examples_moves,
    examples_types,
    examples_windows,
)
from tests.firmware.c.example import Example

GROUPS = (
    examples_windows.conv_examples,
    examples_windows.sparse_examples,
    examples_windows.depthwise_examples,
    examples_windows.run_examples,
    examples_windows.padded_examples,
    examples_windows.pool_examples,
    examples_windows.transpose_conv_examples,
    examples_matrices.fully_connected_examples,
    examples_matrices.matrix_examples,
    examples_elements.binary_examples,
    examples_elements.lookup_examples,
    examples_elements.byte_examples,
    examples_elements.softmax_examples,
    examples_elements.element_examples,
    examples_moves.mover_examples,
    examples_moves.mean_examples,
    examples_moves.more_move_examples,
    examples_more.rearranging_examples,
    examples_more.gathering_examples,
    examples_more.extreme_examples,
    examples_more.summing_examples,
    examples_more.more_element_examples,
    examples_more.comparing_examples,
    examples_types.wide_examples,
    examples_types.float_examples,
    examples_types.whole_examples,
)


@lru_cache(maxsize=1)
def all_examples() -> tuple[Example, ...]:
    return tuple(example for group in GROUPS for example in group())
