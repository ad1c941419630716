"""Models as their owners train them, small, with the data that they are trained on.

Each function makes a model in `folder` and gives back what a build needs beside the device. The data are
drawn so that a small network learns something of them in seconds.
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A model, its data, and an evaluation of outputs that owes nothing to edgeprune.

    Attributes:
        model: the saved model.
        data: what `--data` takes, or data in memory.
        options: further arguments of `build`.
        is_pruned: whether the budget is below what the model takes.
        custom: classes of the model's own.
        x_test: one array per model input, as the model is fed.
        score: outputs on the test set, one array per output → the metric that decides.
        metric: its name.
    """

    model: Path
    data: Any
    x_test: Arrays
    score: Callable[[list[np.ndarray]], float]
    metric: str
    options: dict[str, Any] = field(default_factory=dict)
    is_pruned: bool = True
    custom: dict[str, Any] = field(default_factory=dict)


def segmenter(folder: Path) -> Setup:
    """A U-Net with a Dice loss of its own, IoU, and void labels that neither counts."""
    (folder / "dice.py").write_text(
        "import keras\n"
        "from keras import ops\n\n\n"
        "class DiceLoss(keras.losses.Loss):\n"
        "    def __init__(self, void=255, name='dice', reduction='sum_over_batch_size', dtype=None):\n"
        "        super().__init__(name=name, reduction=reduction, dtype=dtype)\n"
        "        self.void = void\n\n"
        "    def call(self, y, p):\n"
        "        counts = ops.cast(ops.not_equal(y, self.void), p.dtype)[..., None]\n"
        "        classes = ops.where(ops.equal(y, self.void), 0, ops.cast(y, 'int32'))\n"
        "        hot = ops.one_hot(classes, p.shape[-1]) * counts\n"
        "        shared = ops.sum(hot * p, axis=(1, 2))\n"
        "        total = ops.sum(hot, axis=(1, 2)) + ops.sum(p * counts, axis=(1, 2))\n"
        "        return 1 - ops.mean((2 * shared + 1) / (total + 1), axis=-1)\n\n"
        "    def get_config(self):\n"
        "        return {**super().get_config(), 'void': self.void}\n"
    )
    namespace: dict[str, Any] = {"__name__": "dice"}
    exec(compile((folder / "dice.py").read_text(), "dice.py", "exec"), namespace)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 0.4, (260, 16, 16, 3)).astype(np.float32), np.zeros((260, 16, 16), np.uint8)
    for image, mask in zip(x, y, strict=True):
        for label in (1, 2):
            top, left = rng.integers(2, 9, 2)
            image[top : top + 6, left : left + 6, label] += 0.6
            mask[top : top + 6, left : left + 6] = label
        mask[:2], mask[:, -1] = 255, 255
    image = keras.Input((16, 16, 3))
    e1 = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    e2 = layers.Conv2D(24, 3, padding="same", activation="relu")(layers.MaxPooling2D()(e1))
    d1 = layers.Conv2DTranspose(16, 2, strides=2, activation="relu")(e2)
    d1 = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.Concatenate()([d1, e1]))
    model = keras.Model(image, layers.Conv2D(3, 1, activation="softmax", name="mask")(d1), name="unet")
    iou = keras.metrics.MeanIoU(3, ignore_class=255, sparse_y_pred=False, name="iou")
    model.compile(keras.optimizers.Adam(5e-3), loss=namespace["DiceLoss"](), metrics=[iou])
    model.fit(x[:200], y[:200], epochs=12, batch_size=20, verbose=0)
    model.save(folder / "unet.keras")
    np.savez(folder / "masks.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])

    def score(outputs: list[np.ndarray]) -> float:
        found, true = outputs[0].argmax(-1), y[200:]
        counts = true != 255
        ious = []
        for label in range(3):
            a, b = (found == label) & counts, (true == label) & counts
            ious.append((a & b).sum() / (a | b).sum())
        return float(np.mean(ious))

    return Setup(
        model=folder / "unet.keras",
        data=str(folder / "masks.npz"),
        x_test=(x[200:],),
        score=score,
        metric="iou",
        options={"custom": [f"{folder / 'dice.py'}:DiceLoss"], "latency_ms": 7.0, "max_drop": 0.2},
        custom={"DiceLoss": namespace["DiceLoss"]},
    )


def detector(folder: Path) -> Setup:
    """Boxes and classes of one object per image: two outputs, a loss each, and their weights."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0, 0.3, (260, 16, 16, 3)).astype(np.float32)
    boxes, classes = np.zeros((260, 4), np.float32), rng.integers(0, 3, 260)
    for i in range(260):
        top, left, size = *rng.integers(0, 9, 2), rng.integers(4, 8)
        x[i, top : top + size, left : left + size, classes[i]] += 0.7
        boxes[i] = np.array([top, left, top + size, left + size]) / 16
    image = keras.Input((16, 16, 3))
    h = image
    for width in (16, 24, 32):
        h = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(h))
    h = layers.Flatten()(h)
    outputs = {
        "boxes": layers.Dense(4, activation="sigmoid", name="box_head")(h),
        "classes": layers.Dense(3, activation="softmax", name="class_head")(h),
    }
    model = keras.Model(image, outputs, name="detector")
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss={"boxes": keras.losses.Huber(), "classes": "sparse_categorical_crossentropy"},
        loss_weights={"boxes": 5.0, "classes": 1.0},
        metrics={"boxes": ["mae"], "classes": ["accuracy"]},
    )
    model.fit(x[:200], {"boxes": boxes[:200], "classes": classes[:200]}, epochs=20, verbose=0)
    model.save(folder / "detector.keras")
    np.savez(
        folder / "objects.npz",
        x_train=x[:200],
        y_train_boxes=boxes[:200],
        y_train_classes=classes[:200],
        x_test=x[200:],
        y_test_boxes=boxes[200:],
        y_test_classes=classes[200:],
    )

    def score(outputs: list[np.ndarray]) -> float:
        far = np.abs(boxes[200:] - outputs[0])
        huber = np.mean(np.where(far <= 1, 0.5 * far**2, far - 0.5))
        hit = outputs[1][np.arange(60), classes[200:]] / outputs[1].sum(-1)
        return float(5 * huber - np.mean(np.log(np.clip(hit, 1e-7, 1))))

    return Setup(
        model=folder / "detector.keras",
        data=str(folder / "objects.npz"),
        x_test=(x[200:],),
        score=score,
        metric="loss",
        options={"max_drop": 0.9, "latency_ms": 0.45, "epochs": 10},
    )


def transfer(folder: Path) -> Setup:
    """MobileNetV2 with a frozen backbone, trained on a folder of images."""
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 90, (90, 32, 32, 3)), np.arange(90) % 3
    for i in range(90):
        x[i, :, :, y[i]] += 120
    for i in range(90):
        place = folder / "photos" / ("test" if i >= 60 else "train") / "abc"[y[i]]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i:03d}.png").write_bytes(tf.io.encode_png(x[i].astype(np.uint8)).numpy())
    whole = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    # Cut where those do who bring it onto microcontrollers.
    backbone = keras.Model(whole.input, whole.get_layer("block_3_expand_relu").output, name="backbone")
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.5
    image = keras.Input((32, 32, 3))
    h = backbone(layers.Rescaling(1 / 127.5, offset=-1)(image))
    h = layers.GlobalAveragePooling2D()(h)
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="kind")(h), name="transfer")
    for trainable, epochs in ((True, 16), (False, 20)):  # there are no weights of ImageNet here
        backbone.trainable = trainable
        model.compile(
            keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(x[:60].astype(np.float32), y[:60], batch_size=30, epochs=epochs, verbose=0)
    model.save(folder / "transfer.keras")
    order = [i for kind in range(3) for i in range(60, 90) if y[i] == kind]
    true = y[order]
    return Setup(
        model=folder / "transfer.keras",
        data=str(folder / "photos"),
        x_test=(x[order].astype(np.float32),),
        score=lambda outputs: float(np.mean(outputs[0].argmax(-1) == true)),
        metric="accuracy",
        options={"max_drop": 0.5, "latency_ms": 5.3, "epochs": 20, "batch_size": 10},
    )


def texts(folder: Path) -> Setup:
    """A text classifier: integer tokens, a mask, a convolution and a bidirectional LSTM."""
    rng = np.random.default_rng(4)
    lengths = rng.integers(8, 17, 320)
    x = rng.integers(3, 60, (320, 16)).astype(np.int32)
    y = rng.integers(0, 2, 320)
    for i in range(320):
        x[i, rng.integers(0, lengths[i], 3)] = 1 + y[i]
        x[i, lengths[i] :] = 0
    tokens = keras.Input((16,), dtype="int32", name="tokens")
    e = layers.Embedding(60, 16, mask_zero=True)(tokens)
    read = layers.Bidirectional(layers.LSTM(12))(e)
    seen = layers.GlobalMaxPooling1D()(layers.Conv1D(24, 3, padding="same", activation="relu")(e))
    h = layers.Concatenate()([read, seen])
    model = keras.Model(tokens, layers.Dense(1, activation="sigmoid")(h), name="texts")
    model.compile(
        keras.optimizers.Adam(5e-3),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="pr", curve="PR")],
    )
    model.fit(x[:240], y[:240], epochs=12, verbose=0)
    model.save(folder / "texts.keras")
    np.savez(folder / "texts.npz", x_train=x[:240], y_train=y[:240], x_test=x[240:], y_test=y[240:])

    def score(outputs: list[np.ndarray]) -> float:
        metric = keras.metrics.AUC(curve="PR")
        metric.update_state(y[240:, None], outputs[0])
        return float(metric.result())

    return Setup(
        model=folder / "texts.keras",
        data=str(folder / "texts.npz"),
        x_test=(x[240:],),
        score=score,
        metric="pr",
        options={"max_drop": 0.3, "device": "raspberry-pi-4", "latency_ms": None, "flash_kib": 59.8},
    )


def transformer(folder: Path) -> Setup:
    """A small Transformer encoder over sensor windows, float labels of a smoothed one-hot."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 320)
    x = rng.normal(0, 0.5, (320, 12, 6)).astype(np.float32)
    x[np.arange(320), :, y] += np.linspace(0, 1.5, 12, dtype=np.float32)
    labels = (np.eye(3)[y] * 0.9 + 0.1 / 3).astype(np.float32)
    window = keras.Input((12, 6))
    h = layers.Dense(16)(window)
    a = layers.MultiHeadAttention(2, 8, dropout=0.1)(h, h)
    h = layers.LayerNormalization()(layers.Add()([h, a]))
    f = layers.Dense(16)(layers.Dense(32, activation="relu")(h))
    h = layers.LayerNormalization()(layers.Add()([h, f]))
    h = layers.GlobalAveragePooling1D()(h)
    model = keras.Model(window, layers.Dense(3, activation="softmax")(h), name="transformer")
    model.compile(
        keras.optimizers.AdamW(5e-3),
        loss="categorical_crossentropy",
        metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(k=2, name="top2")],
    )
    model.fit(x[:240], labels[:240], epochs=12, verbose=0)
    model.save(folder / "transformer.keras")
    data = {"x_train": x[:240], "y_train": labels[:240], "x_test": x[240:], "y_test": labels[240:]}
    return Setup(
        model=folder / "transformer.keras",
        data=data,
        x_test=(x[240:],),
        score=lambda outputs: float(np.mean(outputs[0].argmax(-1) == y[240:])),
        metric="accuracy",
        options={"max_drop": 0.3, "metric": "accuracy,top2", "latency_ms": 1.2},
    )


def recommender(folder: Path) -> Setup:
    """Two towers: ids of users, ids and features of items; ratings that do not count alike."""
    rng = np.random.default_rng(6)
    users, items = rng.integers(0, 40, 600).astype(np.int32), rng.integers(0, 60, 600).astype(np.int32)
    features = rng.normal(size=(60, 5)).astype(np.float32)
    taste, style = rng.normal(size=(40, 3)), rng.normal(size=(60, 3))
    rating = (1 / (1 + np.exp(-(taste[users] * style[items]).sum(-1)))).astype(np.float32)
    dense, weights = features[items], rng.uniform(0.2, 2, 600).astype(np.float32)
    user = keras.Input((1,), dtype="int32", name="user")
    item = keras.Input((1,), dtype="int32", name="item")
    about = keras.Input((5,), name="about")
    u = layers.Dense(16, activation="relu")(layers.Flatten()(layers.Embedding(40, 12)(user)))
    i = layers.Concatenate()([layers.Flatten()(layers.Embedding(60, 12)(item)), about])
    i = layers.Dense(16, activation="relu")(i)
    h = layers.Dense(24, activation="relu")(layers.Concatenate()([u, i]))
    model = keras.Model(
        {"user": user, "item": item, "about": about}, layers.Dense(1, name="rating")(h), name="towers"
    )
    model.compile(
        keras.optimizers.Adam(5e-3),
        loss="mse",
        weighted_metrics=[keras.metrics.MeanAbsoluteError(name="weighted_mae")],
    )
    x = {"user": users[:, None], "item": items[:, None], "about": dense}
    model.fit(
        {k: v[:450] for k, v in x.items()}, rating[:450], sample_weight=weights[:450], epochs=30, verbose=0
    )
    model.save(folder / "towers.keras")
    parts = {"train": slice(450), "test": slice(450, None)}
    arrays = {f"x_{part}_{name}": v[rows] for part, rows in parts.items() for name, v in x.items()}
    arrays |= {f"y_{part}": rating[rows] for part, rows in parts.items()}
    arrays |= {f"w_{part}": weights[rows] for part, rows in parts.items()}
    np.savez(folder / "ratings.npz", **arrays)

    def score(outputs: list[np.ndarray]) -> float:
        far = np.abs(outputs[0][:, 0] - rating[450:])
        return float((far * weights[450:]).sum() / weights[450:].sum())

    return Setup(
        model=folder / "towers.keras",
        data=str(folder / "ratings.npz"),
        x_test=tuple(x[name][450:] for name in sorted(x)),
        score=score,
        metric="weighted_mae",
        options={"max_drop": 0.9, "device": "raspberry-pi-4", "latency_ms": None, "flash_kib": 6.0},
    )


def autoencoder(folder: Path) -> Setup:
    """A 1-D autoencoder of vibrations, without labels."""
    rng = np.random.default_rng(7)
    t = np.linspace(0, 6, 32)
    x = np.sin(t * rng.uniform(1, 3, (300, 1)) + rng.uniform(0, 6, (300, 1)))[..., None].astype(np.float32)
    signal = keras.Input((32, 1))
    h = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(signal)
    h = layers.Conv1D(8, 5, strides=2, padding="same", activation="relu")(h)
    h = layers.Conv1DTranspose(16, 5, strides=2, padding="same", activation="relu")(h)
    model = keras.Model(signal, layers.Conv1DTranspose(1, 5, strides=2, padding="same")(h), name="vibrations")
    model.compile(keras.optimizers.Adam(5e-3), loss="mse")
    model.fit(x[:240], x[:240], epochs=25, verbose=0)
    model.save(folder / "vibrations.keras")
    np.savez(folder / "vibrations.npz", x_train=x[:240], x_test=x[240:])
    return Setup(
        model=folder / "vibrations.keras",
        data=str(folder / "vibrations.npz"),
        x_test=(x[240:],),
        score=lambda outputs: float(np.mean(np.square(outputs[0] - x[240:]))),
        metric="mse",
        options={"max_drop": "900%", "latency_ms": 0.15, "epochs": 6},
    )


def regressor(folder: Path) -> Setup:
    """An LSTM that foretells the next values of several series."""
    rng = np.random.default_rng(8)
    t = np.arange(17)[None, :, None]
    series = np.sin(t * rng.uniform(0.2, 0.6, (320, 1, 4)) + rng.uniform(0, 6, (320, 1, 4)))
    x, y = series[:, :16].astype(np.float32), series[:, 16, :2].astype(np.float32)
    past = keras.Input((16, 4))
    model = keras.Model(past, layers.Dense(2, name="next")(layers.LSTM(20)(past)), name="series")
    model.compile(keras.optimizers.RMSprop(5e-3), loss="mse", metrics=["mae"])
    model.fit(x[:240], y[:240], epochs=25, verbose=0)
    model.save(folder / "series.keras")
    return Setup(
        model=folder / "series.keras",
        data=(x[:240], y[:240], x[240:], y[240:]),
        x_test=(x[240:],),
        score=lambda outputs: float(np.mean(np.abs(outputs[0] - y[240:]))),
        metric="mae",
        options={"max_drop": 1.0, "device": "raspberry-pi-4", "latency_ms": None, "flash_kib": 4.8},
    )


def keywords(folder: Path) -> Setup:
    """A keyword spotter on spectrograms that a tf.data function makes of .wav files."""
    rng = np.random.default_rng(9)
    clips, kinds = [], []
    for i in range(150):
        kind = i % 3
        wave_ = np.sin(2 * np.pi * (200 + 250 * kind) * np.arange(2000) / 4000 + rng.uniform(0, 6))
        sound = (0.5 * wave_ + rng.normal(0, 0.1, 2000)).clip(-1, 1)
        place = folder / "words" / ("test" if i >= 105 else "train") / "abc"[kind] / f"{i:03d}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(place), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(4000)
            file.writeframes((sound * 32767).astype("<i2").tobytes())
        clips.append((sound * 32767).astype("<i2") / np.float32(32768))
        kinds.append(kind)
    (folder / "spectra.py").write_text(
        "import tensorflow as tf\n\n\n"
        "def spectrum(path):\n"
        "    sound, _ = tf.audio.decode_wav(tf.io.read_file(path))\n"
        "    found = tf.abs(tf.signal.stft(sound[:, 0], 128, 64))\n"
        "    return tf.math.log(found + 1e-3)[..., None]\n"
    )
    (folder / "words.py").write_text(
        "import pathlib\n"
        "import tensorflow as tf\n"
        "from spectra import spectrum\n\n"
        "HERE = pathlib.Path(__file__).parent / 'words'\n\n\n"
        "def part(name):\n"
        "    paths = sorted(map(str, (HERE / name).glob('*/*.wav')))\n"
        "    kinds = ['abc'.index(pathlib.Path(path).parent.name) for path in paths]\n"
        "    pairs = tf.data.Dataset.from_tensor_slices((paths, kinds))\n"
        "    if name == 'train':\n"
        "        pairs = pairs.shuffle(200, seed=1)\n"
        "    return pairs.map(lambda path, kind: (spectrum(path), kind)).batch(15)\n\n\n"
        "def load():\n"
        "    return part('train'), part('test')\n"
    )

    def look(sound: np.ndarray) -> np.ndarray:
        return np.asarray(tf.math.log(tf.abs(tf.signal.stft(sound, 128, 64)) + 1e-3))[..., None]

    x, y = np.stack([look(clip.astype(np.float32)) for clip in clips]), np.array(kinds)
    image = keras.Input(x.shape[1:])
    h = layers.Conv2D(16, 3, strides=2, activation="relu")(
        layers.Normalization(mean=-1.0, variance=4.0)(image)
    )
    h = layers.DepthwiseConv2D(3, activation="relu")(h)
    h = layers.Flatten()(layers.AveragePooling2D(2)(layers.Conv2D(24, 1, activation="relu")(h)))
    model = keras.Model(image, layers.Dense(3, name="word")(h), name="keywords")
    model.compile(
        keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x[:105], y[:105], batch_size=15, epochs=25, verbose=0)
    model.save(folder / "keywords.keras")
    order = [i for kind in range(3) for i in range(105, 150) if y[i] == kind]
    return Setup(
        model=folder / "keywords.keras",
        data=f"{folder / 'words.py'}:load",
        x_test=(x[order],),
        score=lambda outputs: float(np.mean(outputs[0].argmax(-1) == y[order])),
        metric="accuracy",
        options={"max_drop": 0.3, "latency_ms": 2.6},
    )


def table(folder: Path) -> Setup:
    """A multi-label model of a table's columns."""
    rng = np.random.default_rng(10)
    x = rng.normal(size=(400, 6)).astype(np.float32).round(4)
    y = np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 0, x[:, 3] * x[:, 4] > 0], axis=1).astype(int)
    split = np.where(np.arange(400) < 300, "train", "test")
    head = ",".join([*(f"f{i}" for i in range(6)), "label_a", "label_b", "label_c", "split"])
    rows = [",".join([*map(str, a), *map(str, b), c]) for a, b, c in zip(x, y, split, strict=True)]
    (folder / "table.csv").write_text("\n".join([head, *rows]) + "\n")
    features = keras.Input((6,))
    h = layers.Dense(32, activation="relu", kernel_regularizer="l2")(features)
    h = layers.Dense(24, activation="relu")(layers.Dropout(0.1)(h))
    model = keras.Model(features, layers.Dense(3, activation="sigmoid", name="labels")(h), name="table")
    f1 = keras.metrics.F1Score(average="macro", threshold=0.5, name="macro_f1")
    model.compile(keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=[f1, "accuracy"])
    model.fit(x[:300], y[:300], epochs=20, verbose=0)
    model.save(folder / "table.keras")

    def score(outputs: list[np.ndarray]) -> float:
        found, true = outputs[0] > 0.5, y[300:].astype(bool)
        hits = (found & true).sum(0)
        return float(np.mean(2 * hits / (found.sum(0) + true.sum(0))))

    return Setup(
        model=folder / "table.keras",
        data=str(folder / "table.csv"),
        x_test=(x[300:],),
        score=score,
        metric="macro_f1",
        options={"max_drop": 0.3, "latency_ms": 0.013},
    )


SETUPS = (
    segmenter,
    detector,
    transfer,
    texts,
    transformer,
    recommender,
    autoencoder,
    regressor,
    keywords,
    table,
)
