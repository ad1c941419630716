"""Writes edgeprune/keras_bridge/data/digits.npz, the data of the embedded example. Needs scikit-learn."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped,import-not-found,unused-ignore]

TEST_SAMPLES = 500
TARGET = Path(__file__).parents[1] / "edgeprune" / "keras_bridge" / "data" / "digits.npz"


def main() -> None:
    """Split the images once and for all, at random, and write them as bytes."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = digits.images[order, :, :, None].astype(np.uint8)  # 0 to 16, exact
    y = digits.target[order].astype(np.uint8)
    np.savez_compressed(
        TARGET,
        x_train=x[TEST_SAMPLES:],
        y_train=y[TEST_SAMPLES:],
        x_test=x[:TEST_SAMPLES],
        y_test=y[:TEST_SAMPLES],
    )


if __name__ == "__main__":
    main()
