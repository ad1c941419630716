"""The one place where randomness is tied down."""

import keras
import tensorflow as tf


def fix_seeds(seed: int) -> None:
    """Make everything that follows in this process repeatable: same seed, same machine, same bytes.

    Seeds Python, NumPy and Keras, and makes TensorFlow choose deterministic kernels. The latter cannot be
    taken back within the process, and TensorFlow then demands a seed of every random op: call this first.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
