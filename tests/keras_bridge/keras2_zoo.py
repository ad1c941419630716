"""Small models of Keras 2, made with tf_keras as users of TensorFlow 2.0 to 2.15 made them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

Model = Any


def _image(*shape: int) -> Any:
    return keras.Input(shape or (8, 8, 3))


def _on_image(function: Callable[[Any], Any]) -> Model:
    """conv → function → dense."""
    image = _image()
    x = function(layers.Conv2D(6, 3, padding="same")(image))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def _with_anchors(x: Any) -> Any:
    """Constants for each sample, as detectors put them beside what they found."""
    count = tf.shape(x)[0]
    parts = [
        tf.tile(tf.constant([[[[0.5, 0.25]]]]), (count, 8, 8, 1)),
        tf.broadcast_to(tf.constant([[[[0.75]]]]), [count, 8, 8, 1]),
        tf.fill([count, 8, 8, 1], 0.125),
    ]
    # A layer whose name is that of a function, too.
    return layers.Reshape((8, 80), name="reshape")(tf.concat([x, *parts], axis=-1))


def _on_pair(function: Callable[[Any, Any], Any]) -> Model:
    image = _image()
    x = layers.Conv2D(6, 3, padding="same", activation="sigmoid")(image)
    y = layers.Conv2D(6, 1, activation="softplus")(image)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(function(x, y))))


def _on_sequence(*middle: Any) -> Model:
    return keras.Sequential([layers.Input((7, 5)), *middle, layers.Flatten(), layers.Dense(3)])


def _convolutions() -> Model:
    return keras.Sequential(
        [
            layers.Conv2D(6, 3, strides=2, activation="swish", input_shape=(12, 12, 3)),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same", activation=tf.nn.relu6),
            layers.SeparableConv2D(8, 3, padding="same", depth_multiplier=2, activation="hard_sigmoid"),
            layers.Conv2DTranspose(4, 3, strides=2, activation="elu"),
            layers.LeakyReLU(alpha=0.1),
            layers.PReLU(shared_axes=[1, 2]),
            layers.ReLU(max_value=6.0, negative_slope=0.1),
            layers.ThresholdedReLU(theta=0.2),
            layers.Activation("hard_sigmoid"),
            layers.UpSampling2D(2, interpolation="bilinear"),
            layers.ZeroPadding2D(((1, 0), (0, 2))),
            layers.Cropping2D(1),
            layers.AveragePooling2D(2),
            layers.LayerNormalization(),
            layers.SpatialDropout2D(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", kernel_regularizer="l2"),
        ]
    )


def _groups() -> Model:
    image = _image(8, 8, 4)
    x = layers.Conv2D(8, 3, groups=2, dilation_rate=2)(image)
    x = layers.GroupNormalization(groups=4)(x)
    return keras.Model(image, layers.GlobalMaxPooling2D(keepdims=True)(x))


def _one_dimension() -> Model:
    return _on_sequence(
        layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
        layers.SeparableConv1D(5, 3),
        layers.MaxPooling1D(2),
        layers.Conv1DTranspose(4, 3),
        layers.DepthwiseConv1D(2),
    )


def _recurrent() -> Model:
    return _on_sequence(
        layers.LSTM(6, return_sequences=True),
        layers.GRU(5, return_sequences=True),
        layers.GRU(5, return_sequences=True, reset_after=False),
        layers.SimpleRNN(4, return_sequences=True, go_backwards=True),
        layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True),
        layers.GRU(4, recurrent_activation="hard_sigmoid"),
    )


def _bidirectional() -> Model:
    return _on_sequence(
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
        layers.Bidirectional(
            layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True),
            backward_layer=layers.LSTM(4, return_sequences=True, go_backwards=True),
        ),
        layers.TimeDistributed(layers.Dense(4, activation="hard_sigmoid")),
        layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)]),
    )


def _states() -> Model:
    sequence = keras.Input((7, 5))
    _, h, c = layers.LSTM(6, return_state=True)(sequence)
    x = layers.LSTM(6, return_sequences=True)(sequence, initial_state=[h, c])
    return keras.Model(sequence, layers.Dense(2)(x))


def _conv_lstm() -> Model:
    video = keras.Input((3, 6, 6, 2))
    return keras.Model(video, layers.ConvLSTM2D(3, 3)(video))


def _embedding() -> Model:
    return keras.Sequential(
        [
            layers.Embedding(20, 6, input_length=5),
            layers.Masking(),
            layers.Bidirectional(layers.GRU(4)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def _block(name: str, *, trainable: bool = True) -> Model:
    x = image = _image(8, 8, 6)
    x = layers.Conv2D(6, 3, padding="same", name=f"{name}/conv")(x)
    x = layers.BatchNormalization(name=f"{name}/bn", trainable=trainable)(x)
    x = layers.Conv2D(6, 1, name=f"{name}/out")(x)
    return keras.Model(image, layers.add([x, image]), name=name)


def _nested() -> Model:
    image = _image()
    shared = _block("block/shared")
    x = layers.Conv2D(6, 3, padding="same")(image)
    x = shared(tf.nn.relu(shared(x)))
    x = _block("frozen", trainable=False)(x)
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(4), layers.BatchNormalization()])
    return keras.Model(image, [head(x), layers.Flatten()(x)])


def _frozen() -> Model:
    model = _nested()
    model.layers[2].trainable = False
    return model


def _several() -> Model:
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    encode = keras.Sequential([layers.Dense(5, activation="tanh"), layers.Dense(4)])
    x, y = encode(a), encode(b)
    near = layers.Dot(1, normalize=True)([x, y])
    far = tf.abs(x - y)
    return keras.Model([a, b], {"near": near, "far": layers.Dense(1)(layers.Concatenate()([far, x, y]))})


def _attention() -> Model:
    sequence = keras.Input((7, 8))
    x = layers.MultiHeadAttention(2, 4)(sequence, sequence)
    x = layers.LayerNormalization(epsilon=1e-6)(sequence + x)
    y = layers.MultiHeadAttention(2, 4, value_dim=3)(x, value=sequence, key=x)
    z = layers.Attention(use_scale=True)([x, y])
    return keras.Model(sequence, layers.GlobalAveragePooling1D()(layers.AdditiveAttention()([z, y])))


def _preprocessing() -> Model:
    image = _image()
    normalise = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    x = layers.Rescaling(1 / 127.5, offset=-1)(normalise(image))
    x = layers.Resizing(6, 5)(layers.RandomFlip()(x))
    return keras.Model(image, layers.Conv2D(4, 3)(x))


def _sizes(x: Any) -> Any:
    """Reshapes with sizes that are computed."""
    shape = tf.shape(x)
    x = tf.reshape(x, (shape[0], shape[1] * shape[2], 6))
    x = tf.reshape(x, (tf.shape(x)[0], 8, -1, 6))
    return tf.reshape(x, tf.concat([tf.shape(x)[:1], [64 * 6]], 0))


def _normalised(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-3) + tf.math.reduce_std(x, axis=-1, keepdims=True)


ZOO: dict[str, Callable[[], Model]] = {
    "convolutions": _convolutions,
    "groups": _groups,
    "one dimension": _one_dimension,
    "recurrent": _recurrent,
    "bidirectional": _bidirectional,
    "states": _states,
    "ConvLSTM": _conv_lstm,
    "embedding": _embedding,
    "nested": _nested,
    "a frozen nested model": _frozen,
    "several inputs": _several,
    "attention": _attention,
    "preprocessing": _preprocessing,
    "arithmetic": lambda: _on_pair(lambda x, y: 2.0 * x - y / 3 + 1.0 / (y + 1) - (1 - x) ** 2 - -y),
    "arithmetic with arrays": lambda: _on_image(lambda x: [1.0, 2, 3, 4, 5, 6] * (x - [1.0, 2, 3, 4, 5, 6])),
    "comparisons": lambda: _on_pair(
        lambda x, y: tf.where((x > 0.5) & (y <= 0.9), x, 0.0) + tf.cast(x < y, tf.float32)
    ),
    "extremes": lambda: _on_pair(lambda x, y: tf.maximum(x, 0.5) * tf.minimum(x, y)),
    "activations": lambda: _on_image(
        lambda x: tf.nn.relu(x) + tf.nn.relu6(x) * tf.sigmoid(x) + tf.tanh(x) + tf.nn.leaky_relu(x, 0.3)
    ),
    "more activations": lambda: _on_image(
        lambda x: tf.nn.softmax(x) + tf.nn.swish(x) + tf.nn.gelu(x) + tf.nn.elu(x) + tf.nn.softplus(x)
    ),
    "activations of Keras": lambda: _on_image(
        lambda x: (
            keras.activations.swish(x)
            + keras.activations.relu(x, max_value=2.0, alpha=0.1)
            + keras.activations.hard_sigmoid(x)
        )
    ),
    "hard swish": lambda: _on_image(lambda x: x * layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)),
    "functions": lambda: _on_image(
        lambda x: (
            tf.exp(-tf.abs(x)) + tf.sqrt(tf.square(x) + 1) + tf.math.log(x * x + 1) + tf.math.rsqrt(x * x + 1)
        )
    ),
    "slices": lambda: _on_image(lambda x: x[:, 1:, ::2, :4] + x[:, :-1, ..., 2:][:, :, ::2]),
    "a slice that drops and adds axes": lambda: _on_image(lambda x: x[:, 0][:, :, tf.newaxis, :3]),
    "joined": lambda: _on_pair(lambda x, y: tf.concat([x, y, x], -1)),
    "stacked": lambda: _on_pair(lambda x, y: tf.stack([x, y], axis=1)),
    "unstacked": lambda: _on_image(lambda x: tf.unstack(x, axis=1)[2]),
    "split": lambda: _on_image(lambda x: tf.split(x, 2, axis=-1)[0] * tf.split(x, [2, 3, 1], axis=-1)[1]),
    "reshaped": lambda: _on_image(lambda x: tf.transpose(tf.reshape(x, (-1, 16, 4, 6)), [0, 2, 3, 1])),
    "sizes": lambda: _on_image(_sizes),
    "axes": lambda: _on_image(lambda x: tf.squeeze(tf.expand_dims(tf.expand_dims(x, 1), -1), [1, -1])),
    "padded": lambda: _on_image(
        lambda x: tf.pad(
            tf.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]]), [[0, 0]] * 3 + [[1, 1]], constant_values=2.0
        )
    ),
    "mirrored": lambda: _on_image(lambda x: tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]], mode="REFLECT")),
    "means": lambda: _on_image(
        lambda x: x * tf.reduce_mean(x, [1, 2], keepdims=True) + tf.reduce_max(x, axis=-1, keepdims=True)
    ),
    "sums": lambda: _on_image(lambda x: tf.reduce_sum(x, axis=1) - tf.reduce_min(x, 2)),
    "normalised": lambda: _on_image(_normalised),
    "of unit length": lambda: _on_image(lambda x: tf.math.l2_normalize(x, axis=-1)),
    "products": lambda: _on_image(lambda x: tf.matmul(x[:, 0], x[:, 1], transpose_b=True)),
    "a product with an array": lambda: _on_image(lambda x: tf.matmul(x, tf.ones((6, 2)))),
    "a sum of many": lambda: _on_pair(lambda x, y: tf.add_n([x, y, x])),
    "clipped": lambda: _on_image(lambda x: tf.clip_by_value(x, -0.5, 0.5)),
    "resized": lambda: _on_image(lambda x: tf.image.resize(x, (5, 11))),
    "resized to the nearest": lambda: _on_image(lambda x: tf.image.resize(x, [16, 24], method="nearest")),
    "resized by Keras": lambda: _on_image(lambda x: keras.backend.resize_images(x, 2, 2, "channels_last")),
    "pooled": lambda: _on_image(
        lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME") + tf.nn.avg_pool2d(x, 2, 2, "SAME")
    ),
    "pixels shuffled": lambda: _on_image(
        lambda x: tf.nn.space_to_depth(tf.nn.depth_to_space(x[..., :4], 2), 4)
    ),
    "tiled": lambda: _on_image(
        lambda x: tf.tile(x, [1, 2, 1, 2]) + tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=3)
    ),
    "anchors": lambda: _on_image(_with_anchors),
    "anchors that follow a tensor": lambda: _on_image(
        lambda x: tf.concat([x, tf.zeros_like(x) + tf.constant([0.5, 0.25] * 3), tf.ones_like(x)], axis=-1)
    ),
    "reversed": lambda: _on_image(lambda x: tf.reverse(x, [1, 3])),
    "gathered": lambda: _on_image(lambda x: tf.gather(x, [3, 1], axis=1)),
    "backend": lambda: _on_image(
        lambda x: keras.backend.mean(x, axis=[1, 2]) + keras.backend.max(keras.backend.square(x), axis=(1, 2))
    ),
}
"""What a model shows → a function that makes it."""
