import numpy as np
import pytest

from edgeprune.keras_bridge.data.augment import Augmentation, choose_augmentation


def gradient_images(count: int = 6, size: int = 16) -> np.ndarray:
    """Each pixel of an image is its column."""
    row = np.arange(size, dtype=np.float32)
    return np.broadcast_to(row[None, None, :, None], (count, size, size, 1)).copy()


def test_nothing_is_changed_unless_asked() -> None:
    images = gradient_images()
    changed = Augmentation().apply(images, np.random.default_rng(0))
    np.testing.assert_array_equal(changed, images)
    assert Augmentation().describe() == "none"


def test_a_flip_mirrors_some_images_left_to_right() -> None:
    images = gradient_images(50)
    changed = Augmentation(flip=True).apply(images, np.random.default_rng(0))
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (changed == images).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 10 < mirrored.sum() < 40


def test_a_shift_moves_images_by_no_more_than_asked() -> None:
    images = gradient_images(60)
    changed = Augmentation(shift=2).apply(images, np.random.default_rng(0))
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    moved = set((changed[:, 8, 8, 0] - 8).tolist())
    assert moved == {-2, -1, 0, 1, 2}


def test_the_same_seed_changes_batches_alike() -> None:
    images = gradient_images()
    first, second = (
        Augmentation(flip=True, shift=2).apply(images, np.random.default_rng(4)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_changes_that_the_model_does_not_mind_are_chosen() -> None:
    found = choose_augmentation((gradient_images(),), score=lambda x: 0.9, seed=0)
    assert found == Augmentation(flip=True, shift=2)
    assert found.describe() == "horizontal flips and shifts of up to 2 px"


def test_changes_that_the_model_minds_are_not() -> None:
    images = gradient_images()

    def score(arrays: tuple[np.ndarray, ...]) -> float:
        return 1.0 if np.array_equal(arrays[0], images) else 0.5

    assert choose_augmentation((images,), score=score, seed=0) == Augmentation()


def test_a_drop_within_the_tolerance_is_accepted() -> None:
    images = gradient_images()

    def score(arrays: tuple[np.ndarray, ...]) -> float:
        return 0.9 if np.array_equal(arrays[0], images) else 0.89

    assert choose_augmentation((images,), score=score, tolerance=0.02, seed=0).flip
    assert not choose_augmentation((images,), score=score, tolerance=0.005, seed=0).flip


@pytest.mark.parametrize("shape", [(6, 10), (6, 16, 16), (6, 16, 16, 8)])
def test_inputs_that_are_not_images_are_left_alone(shape: tuple[int, ...]) -> None:
    assert choose_augmentation((np.zeros(shape),), score=lambda x: 1.0, seed=0) == Augmentation()


def test_two_inputs_are_left_alone() -> None:
    images = gradient_images()
    assert choose_augmentation((images, images), score=lambda x: 1.0, seed=0) == Augmentation()
