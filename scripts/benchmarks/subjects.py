"""The models that are pruned, with their data: found in ../shared, or trained here once and kept.

Every subject has three parts of data: what is trained on, `x_val` for decisions, and `x_test` for what is
reported, which no decision looks at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sounds import make_noisy_digits
from edgeprune.graph.layergraph import Array

SHARED = Path(__file__).resolve().parents[3] / "shared"
DECIDE_ON = 1000
"""Images of CIFAR-10's test part that decisions may look at; the others are reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A trained model and its data.

    Attributes:
        model: the saved model; None for the network that is packed with edgeprune.
        data: its `.npz` file; likewise.
        loss: what recovery minimises, where the file does not say it.
        metric: what is reported, likewise.
    """

    model: Path | None = None
    data: Path | None = None
    loss: str | None = None
    metric: str | None = None


def prepare(name: str, folder: Path) -> Subject:
    """A subject whose files stand in a folder, trained now if they do not yet.

    Args:
        name: of `SUBJECTS`.
        folder: of all subjects.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return SUBJECTS[name](folder)


def prepare_example(folder: Path) -> Subject:
    """The network and the data that are packed with edgeprune."""
    return Subject()


def prepare_resnet8(folder: Path) -> Subject:
    """MLPerf Tiny's ResNet-8, fine-tuned on these 20,000 images of CIFAR-10 until it gained no more."""

    def make() -> Mapping[str, Array]:
        return read_cifar10()

    return Subject(model=SHARED / "models/resnet8_cifar20k.keras", data=_keep(folder / "cifar10.npz", make))


def prepare_dscnn(folder: Path) -> Subject:
    """MLPerf Tiny's DS-CNN, trained on spoken digits in noise; the speakers of each part are others."""
    data = _keep(folder / "digits.npz", lambda: make_noisy_digits(SHARED / "data/spoken_digits_8khz.npz"))
    path = folder / "dscnn.keras"
    if not path.exists():
        with np.load(data) as parts:
            model = build_dscnn(parts["x_train"].shape[1:])
            train(model, parts, loss="sparse_categorical_crossentropy", metric="accuracy", epochs=60)
        _save(model, path)
    return Subject(model=path, data=data)


def prepare_autoencoder(folder: Path) -> Subject:
    """MLPerf Tiny's FC-AutoEncoder on windows of 32 frames by 20 mel bands of spoken digits in noise."""

    def make() -> Mapping[str, Array]:
        digits = make_noisy_digits(SHARED / "data/spoken_digits_8khz.npz")
        return {name: x[:, 8:40].reshape(-1, 640) for name, x in digits.items() if name.startswith("x_")}

    data, path = _keep(folder / "windows.npz", make), folder / "autoencoder.keras"
    if not path.exists():
        with np.load(data) as parts:
            model = build_autoencoder()
            train(model, parts, loss="mse", metric="mse", epochs=60)
        _save(model, path)
    return Subject(model=path, data=data)


def prepare_mobilenet(folder: Path) -> Subject:
    """MobileNetV1 with a quarter of its width at 64×64, trained on CIFAR-10, which is scaled up for it."""

    def make() -> Mapping[str, Array]:
        parts = read_cifar10()
        return {name: _double(x) if name.startswith("x_") else x for name, x in parts.items()}

    data, path = _keep(folder / "cifar10_64.npz", make), folder / "mobilenet.keras"
    if not path.exists():
        with np.load(data) as parts:
            model = build_mobilenet()
            train(
                model, parts, loss="sparse_categorical_crossentropy", metric="accuracy", epochs=60, flips=True
            )
        _save(model, path)
    return Subject(model=path, data=data)


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "example": prepare_example,
    "resnet8": prepare_resnet8,
    "dscnn": prepare_dscnn,
    "autoencoder": prepare_autoencoder,
    "mobilenet": prepare_mobilenet,
}


def read_cifar10() -> dict[str, Array]:
    """20,000 images for training, 1,000 for decisions and 4,000 to report on, uint8."""
    with np.load(SHARED / "data/cifar10_20k.npz") as arrays:
        x_test, y_test = arrays["x_test"], arrays["y_test"]
        return {
            "x_train": arrays["x_train"],
            "y_train": arrays["y_train"],
            "x_val": x_test[:DECIDE_ON],
            "y_val": y_test[:DECIDE_ON],
            "x_test": x_test[DECIDE_ON:],
            "y_test": y_test[DECIDE_ON:],
        }


def train(
    model: Any, parts: Mapping[str, Array], *, loss: str, metric: str, epochs: int, flips: bool = False
) -> None:
    """Trains a fresh model with Adam along a half cosine; labels are `y_train`, or the inputs themselves.

    Args:
        model: not compiled yet; it is afterwards, with Adam's usual learning rate, as an owner's would be.
        parts: the data.
        loss: what is minimised.
        metric: what the model is judged by.
        epochs: enough that validation gains no more.
        flips: whether images are shifted by up to 8 pixels, and mirrored.
    """
    import keras

    batch, x, y = 64, parts["x_train"], parts["y_train"] if "y_train" in parts else parts["x_train"]
    steps = epochs * -(-len(x) // batch)
    rates = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-3, warmup_steps=steps // 20)
    model.compile(keras.optimizers.Adam(rates), loss=loss, metrics=[metric])
    source = _Shifting(x, y, batch=batch) if flips else None
    if source is None:
        model.fit(x, y, batch_size=batch, epochs=epochs, verbose=2)
    else:
        model.fit(source, epochs=epochs, verbose=2)
    model.compile(keras.optimizers.Adam(1e-3), loss=loss, metrics=[metric])


def build_dscnn(shape: tuple[int, ...]) -> Any:
    """MLPerf Tiny's keyword spotting architecture, for ten classes."""
    import keras
    from keras import layers

    def normalise(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = layers.Normalization(mean=-6.0, variance=16.0)(inputs)
    x = normalise(layers.Conv2D(64, (10, 4), strides=2, padding="same", use_bias=False)(x))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = normalise(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = normalise(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.Dropout(0.4)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="dscnn")


def build_autoencoder() -> Any:
    """MLPerf Tiny's anomaly detection architecture."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    vector = keras.Input((640,))
    x = layers.Normalization(mean=-6.0, variance=16.0)(vector)
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(x)))
    return keras.Model(vector, layers.Dense(640)(x), name="autoencoder")


def build_mobilenet() -> Any:
    """MobileNetV1-0.25 for images of 64×64 bytes and ten classes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    images = keras.Input((64, 64, 3))
    body = keras.applications.MobileNet(
        input_tensor=layers.Rescaling(1 / 127.5, offset=-1.0)(images),
        alpha=0.25,
        weights=None,
        include_top=False,
        pooling="avg",
    )
    x = layers.Dropout(0.1)(body.output)
    return keras.Model(images, layers.Dense(10, activation="softmax")(x), name="mobilenet")


def _Shifting(x: Array, y: Array, *, batch: int) -> Any:  # noqa: N802  (a class that needs Keras to be defined)
    import keras

    class Shifting(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
        """Shuffled batches of images, mirrored and shifted by up to 8 pixels."""

        def __init__(self) -> None:
            super().__init__()
            self.rng = np.random.default_rng(0)
            self.order = self.rng.permutation(len(x))

        def __len__(self) -> int:
            return -(-len(x) // batch)

        def __getitem__(self, index: int) -> tuple[Array, Array]:
            rows = self.order[index * batch : (index + 1) * batch]
            images = x[rows]
            mirrored = self.rng.random(len(rows)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
            down, right = self.rng.integers(-8, 9, size=2)
            padded = np.pad(images, ((0, 0), (8, 8), (8, 8), (0, 0)), mode="reflect")
            height, width = images.shape[1:3]
            return padded[:, 8 + down : 8 + down + height, 8 + right : 8 + right + width], y[rows]

        def on_epoch_end(self) -> None:
            self.order = self.rng.permutation(len(x))

    return Shifting()


def _double(images: Array) -> Array:
    """(n, h, w, c) uint8 → (n, 2h, 2w, c), between the pixels along straight lines."""

    def along(x: Array, axis: int) -> Array:
        after = np.concatenate([x.take(range(1, x.shape[axis]), axis), x.take([-1], axis)], axis)
        before = np.concatenate([x.take([0], axis), x.take(range(x.shape[axis] - 1), axis)], axis)
        pair = np.stack([(3 * x + before + 2) // 4, (3 * x + after + 2) // 4], axis=axis + 1)
        shape = list(x.shape)
        shape[axis] *= 2
        longer: Array = pair.reshape(shape)
        return longer

    wide = along(along(images.astype(np.uint16), 1), 2)
    narrow: Array = wide.astype(np.uint8)
    return narrow


def _keep(path: Path, make: Callable[[], Mapping[str, Array]]) -> Path:
    """The path of an `.npz` file, which is made if it is not there; never half of one."""
    if not path.exists():
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **make())  # type: ignore[arg-type, unused-ignore]  # numpy 2 knows allow_pickle
        partial.replace(path)
    return path


def _save(model: Any, path: Path) -> None:
    partial = path.with_suffix(".partial.keras")
    model.save(partial)
    partial.replace(path)
