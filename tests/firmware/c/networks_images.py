"""Architectures on images, their sizes drawn at random: random.Random → Keras model."""

import random
from typing import Any

import keras
from keras import layers

Tensor = Any
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "hard_swish", "swish", "elu", "tanh")


def _image(rng: random.Random, *, sizes: tuple[int, ...] = (12, 15, 16, 21), channels: Any = None) -> Tensor:
    height = rng.choice(sizes)
    width = rng.choice((height, height, height + 3))
    return keras.Input((height, width, channels or rng.choice((1, 3, 3))))


def _even_image(rng: random.Random, channels: Any = None) -> Tensor:
    return keras.Input((rng.choice((8, 16)), rng.choice((8, 16, 24)), channels or rng.choice((1, 3))))


def _convolve(
    x: Tensor, filters: int, size: Any = 3, activation: str | None = "relu", **options: Any
) -> Tensor:
    x = layers.Conv2D(filters, size, **{"padding": "same", "use_bias": False, **options})(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def _depthwise(x: Tensor, size: int = 3, activation: str | None = "relu", **options: Any) -> Tensor:
    x = layers.DepthwiseConv2D(size, padding="same", use_bias=False, **options)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def _gate(x: Tensor, *, reduced: int, activation: str = "sigmoid") -> Tensor:
    """Squeeze and excite."""
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(reduced, 1, activation="relu")(pooled)
    return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation=activation)(gate)])


def _classify(rng: random.Random, image: Tensor, x: Tensor) -> keras.Model:
    if rng.random() < 0.7:
        pool = rng.choice((layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D))
        x = pool()(x)
    else:
        x = layers.Flatten()(layers.AveragePooling2D(2, padding="same")(x))
    classes = rng.choice((1, 2, 5, 10))
    last = "softmax" if classes > 1 else "sigmoid"
    return keras.Model(image, layers.Dense(classes, activation=rng.choice((None, last)))(x))


def _mobilenet_v1(rng: random.Random) -> keras.Model:
    image, alpha = _image(rng), rng.choice((0.25, 0.5, 0.75))
    x = _convolve(image, int(32 * alpha), strides=2, activation="relu6")
    for width, stride in ((64, 1), (128, 2), (128, 1))[: rng.randint(2, 3)]:
        x = _depthwise(x, rng.choice((3, 3, 5)), strides=stride, activation="relu6")
        x = _convolve(x, int(width * alpha), 1, activation="relu6")
    return _classify(rng, image, x)


def _mobilenet_v2(rng: random.Random) -> keras.Model:
    image, width, times = _image(rng), rng.choice((4, 8, 12)), rng.choice((1, 3, 6))
    x = _convolve(image, width, strides=2, activation="relu6")
    for _ in range(rng.randint(1, 3)):
        y = _convolve(x, width * times, 1, activation="relu6")
        y = _convolve(_depthwise(y, activation="relu6"), width, 1, activation=None)
        x = layers.Add()([x, y])
    y = _depthwise(_convolve(x, width * times, 1, activation="relu6"), strides=2, activation="relu6")
    return _classify(rng, image, _convolve(y, 2 * width, 1, activation=None))


def _mobilenet_v3(rng: random.Random) -> keras.Model:
    image, width = _image(rng), rng.choice((8, 12, 16))
    x = _convolve(image, width, strides=2, activation="hard_swish")
    for size in rng.sample((3, 5, 3), rng.randint(1, 3)):
        y = _convolve(x, 2 * width, 1, activation=rng.choice(("relu", "hard_swish")))
        y = _gate(_depthwise(y, size, activation="hard_swish"), reduced=width // 2, activation="hard_sigmoid")
        x = layers.Add()([x, _convolve(y, width, 1, activation=None)])
    return _classify(rng, image, _convolve(x, 3 * width, 1, activation="hard_swish"))


def _efficientnet(rng: random.Random) -> keras.Model:
    image, width = _image(rng), rng.choice((4, 6, 8))
    x = _convolve(image, width, strides=2, activation="swish")
    for stride in (1, 2)[: rng.randint(1, 2)]:
        y = _depthwise(_convolve(x, 4 * width, 1, activation="swish"), 5, activation="swish", strides=stride)
        y = _convolve(_gate(y, reduced=rng.choice((1, 2, 4))), width, 1, activation=None)
        x = layers.Add()([x, y]) if stride == 1 else y
    return _classify(rng, image, x)


def _densenet(rng: random.Random) -> keras.Model:
    image, growth = _image(rng), rng.choice((4, 6, 8))
    x = layers.Conv2D(2 * growth, 3, strides=2, padding="same")(image)
    for _ in range(rng.randint(2, 4)):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        y = _convolve(y, 2 * growth, 1)
        x = layers.Concatenate()([x, layers.Conv2D(growth, 3, padding="same")(y)])
    x = layers.AveragePooling2D(2)(_convolve(x, 2 * growth, 1))
    return _classify(rng, image, layers.ReLU()(layers.BatchNormalization()(x)))


def _resnet_v1(rng: random.Random) -> keras.Model:
    image, width = _image(rng), rng.choice((6, 8, 16))
    x = _convolve(image, width)
    for stride in (1, 2, 2)[: rng.randint(1, 3)]:
        width *= stride
        y = _convolve(_convolve(x, width, strides=stride), width, activation=None)
        short = x if stride == 1 else layers.Conv2D(width, 1, strides=stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([short, y]))
    return _classify(rng, image, x)


def _resnet_v2(rng: random.Random) -> keras.Model:
    """Bottlenecks, activations first."""
    image, width, activation = _image(rng), rng.choice((8, 12)), rng.choice(ACTIVATIONS)
    x = layers.Conv2D(2 * width, 7, strides=2, padding="same")(image)
    x = layers.MaxPooling2D(3, strides=rng.choice((1, 2)), padding="same")(x)
    for _ in range(rng.randint(1, 2)):
        y = layers.Activation(activation)(layers.BatchNormalization()(x))
        y = _convolve(_convolve(y, width, 1, activation), width, 3, activation)
        x = layers.Add()([x, layers.Conv2D(2 * width, 1)(y)])
    return _classify(rng, image, x)


def _inception(rng: random.Random) -> keras.Model:
    image, width = _image(rng), rng.choice((4, 5, 8))
    x = _convolve(image, 2 * width, 3, strides=2, padding="valid")
    long = rng.choice((5, 7))
    branches = [
        _convolve(x, width, 1),
        _convolve(_convolve(x, width, 1), width, rng.choice((3, 5))),
        _convolve(_convolve(x, width, (1, long)), width, (long, 1)),
        _convolve(layers.AveragePooling2D(3, strides=1, padding="same")(x), width, 1),
    ]
    x = layers.Concatenate()(branches[: rng.randint(2, 4)])
    pooled = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Concatenate()([pooled, _convolve(x, width, 3, strides=2)])
    return _classify(rng, image, x)


def _xception(rng: random.Random) -> keras.Model:
    image, width = _image(rng), rng.choice((8, 10, 16))
    x = _convolve(image, width, strides=2)
    for _ in range(rng.randint(1, 2)):
        y = layers.SeparableConv2D(2 * width, rng.choice((3, 5)), padding="same", activation="relu")(x)
        y = layers.MaxPooling2D(3, strides=2, padding="same")(
            layers.SeparableConv2D(width, 3, padding="same")(y)
        )
        x = layers.Add()([y, layers.Conv2D(width, 1, strides=2, padding="same")(x)])
    return _classify(rng, image, x)


def _shuffle_net(rng: random.Random) -> keras.Model:
    image, half = _image(rng, sizes=(8, 12)), rng.choice((4, 6, 8))
    x = _convolve(image, 2 * half)
    height, width = x.shape[1:3]
    for _ in range(rng.randint(1, 2)):
        first, second = x[..., :half], x[..., half:]
        second = _convolve(_depthwise(_convolve(second, half, 1), activation=None), half, 1)
        x = layers.Concatenate()([first, second])
        x = layers.Permute((1, 2, 4, 3))(layers.Reshape((height, width, 2, half))(x))
        x = layers.Reshape((height, width, 2 * half))(x)
    return _classify(rng, image, _convolve(x, 3 * half, 1))


def _vgg(rng: random.Random) -> keras.Model:
    image, width, activation = _image(rng), rng.choice((4, 8)), rng.choice(ACTIVATIONS)
    x = image
    for _ in range(rng.randint(1, 3)):
        padding = rng.choice(("same", "valid")) if min(x.shape[1:3]) > 6 else "same"
        x = layers.Conv2D(width, rng.choice((3, 5)), padding=padding, activation=activation)(x)
        x = layers.MaxPooling2D(rng.choice((2, 3)), padding="same")(x)
        width *= 2
    x = layers.Dense(rng.choice((16, 24)), activation=activation)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(rng.choice((2, 10)), activation="softmax")(x))


def _enlarge(rng: random.Random, x: Tensor, filters: int) -> Tensor:
    match rng.choice(("nearest", "bilinear", "transposed")):
        case "transposed":
            return layers.Conv2DTranspose(filters, rng.choice((2, 3)), strides=2, padding="same")(x)
        case interpolation:
            return layers.UpSampling2D(interpolation=interpolation)(x)


def _u_net(rng: random.Random) -> keras.Model:
    image, width = _even_image(rng), rng.choice((4, 6, 8))
    fine = _convolve(image, width)
    middle = _convolve(layers.MaxPooling2D()(fine), 2 * width)
    coarse = _convolve(layers.MaxPooling2D()(middle), 3 * width)
    x = _convolve(layers.Concatenate()([middle, _enlarge(rng, coarse, 2 * width)]), 2 * width)
    x = _convolve(layers.Concatenate()([fine, _enlarge(rng, x, width)]), width)
    classes = rng.choice((1, 3))
    return keras.Model(
        image, layers.Conv2D(classes, 1, activation="softmax" if classes > 1 else "sigmoid")(x)
    )


def _dilated_segmenter(rng: random.Random) -> keras.Model:
    """As DeepLab: the same picture at several dilations, and its average."""
    image, width = _even_image(rng), rng.choice((4, 8))
    x = _convolve(image, 2 * width, strides=2)
    branches = [_convolve(x, width, 3, dilation_rate=rate) for rate in rng.sample((1, 2, 3, 4), 2)]
    pooled = _convolve(layers.GlobalAveragePooling2D(keepdims=True)(x), width, 1)
    branches.append(layers.UpSampling2D(x.shape[1:3])(pooled))
    x = _convolve(layers.Concatenate()(branches), width, 1)
    x = layers.UpSampling2D(2, interpolation=rng.choice(("bilinear", "nearest")))(x)
    return keras.Model(image, layers.Conv2D(rng.choice((2, 4)), 1)(x))


def _super_resolution(rng: random.Random) -> keras.Model:
    """As ESPCN."""
    image, factor, activation = _image(rng, sizes=(6, 9)), rng.choice((2, 3)), rng.choice(("tanh", "relu"))
    x = layers.Conv2D(rng.choice((8, 12)), 5, padding="same", activation=activation)(image)
    x = layers.Conv2D(8, 3, padding="same", activation=activation)(x)
    x = layers.Conv2D(image.shape[-1] * factor**2, 3, padding="same")(x)
    return keras.Model(image, keras.ops.depth_to_space(x, factor))


def _convnext(rng: random.Random) -> keras.Model:
    image, width = _even_image(rng), rng.choice((8, 12))
    patch = rng.choice((2, 4))
    x = layers.LayerNormalization()(layers.Conv2D(width, patch, strides=patch)(image))
    for _ in range(rng.randint(1, 2)):
        y = layers.LayerNormalization()(layers.DepthwiseConv2D(rng.choice((5, 7)), padding="same")(x))
        y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(y))
        x = layers.Add()([x, y])
    return _classify(rng, image, x)


def _mixer(rng: random.Random) -> keras.Model:
    image, width = _even_image(rng), rng.choice((8, 12))
    x = layers.Reshape((-1, width))(layers.Conv2D(width, 4, strides=4)(image))
    y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
    y = layers.Dense(x.shape[1])(layers.Dense(rng.choice((8, 16)), activation="gelu")(y))
    x = layers.Add()([x, layers.Permute((2, 1))(y)])
    y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(width)(y)])
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def _detector(rng: random.Random) -> keras.Model:
    """As SSD with a feature pyramid: boxes and classes from two scales."""
    image, width, classes = _even_image(rng), rng.choice((8, 12)), rng.choice((2, 4))
    fine = _convolve(_convolve(image, width), width, strides=2)
    coarse = _convolve(fine, width, strides=2)
    if rng.random() < 0.5:
        fine = layers.Add()([fine, layers.UpSampling2D()(coarse)])
    heads = []
    for filters in (4, classes):
        found = [layers.Conv2D(2 * filters, 3, padding="same")(x) for x in (fine, coarse)]
        heads.append(layers.Concatenate(axis=1)([layers.Reshape((-1, filters))(x) for x in found]))
    boxes, scores = heads
    last = rng.choice((layers.Softmax(), layers.Activation("sigmoid")))
    return keras.Model(image, [boxes, last(scores)])


def _autoencoder(rng: random.Random) -> keras.Model:
    image, width = _even_image(rng), rng.choice((4, 8))
    x = _convolve(_convolve(image, width, strides=2), 2 * width, strides=2)
    shape = x.shape[1:]
    code = layers.Dense(rng.choice((4, 12)))(layers.Flatten()(x))
    x = layers.Reshape(shape)(layers.Dense(shape[0] * shape[1] * shape[2], activation="relu")(code))
    size = rng.choice((2, 3, 4))
    x = layers.Conv2DTranspose(width, size, strides=2, padding="same", activation="relu")(x)
    last = rng.choice((None, "sigmoid"))
    return keras.Model(image, layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation=last)(x))


def _siamese(rng: random.Random) -> keras.Model:
    inside = _image(rng, sizes=(10, 12))
    x = _convolve(_convolve(inside, rng.choice((4, 8))), 12, strides=2)
    encoder = keras.Model(inside, layers.Dense(8)(layers.GlobalAveragePooling2D()(x)))
    ends = [keras.Input(inside.shape[1:]) for _ in range(2)]
    left, right = (encoder(each) for each in ends)
    distance = keras.ops.abs(layers.Subtract()([left, right]))
    if rng.random() < 0.5:
        distance = layers.Concatenate()([distance, layers.Multiply()([left, right])])
    return keras.Model(ends, layers.Dense(1, activation="sigmoid")(distance))


def _vision_transformer(rng: random.Random) -> keras.Model:
    image, heads, width = _even_image(rng), rng.choice((1, 2)), rng.choice((8, 12))
    x = layers.Reshape((-1, width))(layers.Conv2D(width, 4, strides=4)(image))
    for _ in range(rng.randint(1, 2)):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(heads, 4)(y, y)])
        y = layers.Dense(2 * width, activation=rng.choice(("gelu", "relu")))(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


IMAGES = {
    "MobileNet V1": _mobilenet_v1,
    "MobileNet V2": _mobilenet_v2,
    "MobileNet V3": _mobilenet_v3,
    "EfficientNet": _efficientnet,
    "DenseNet": _densenet,
    "ResNet V1": _resnet_v1,
    "ResNet V2": _resnet_v2,
    "Inception": _inception,
    "Xception": _xception,
    "ShuffleNet": _shuffle_net,
    "VGG": _vgg,
    "U-Net": _u_net,
    "dilated segmenter": _dilated_segmenter,
    "super resolution": _super_resolution,
    "ConvNeXt": _convnext,
    "MLP-Mixer": _mixer,
    "detector": _detector,
    "convolutional autoencoder": _autoencoder,
    "siamese": _siamese,
    "vision transformer": _vision_transformer,
}
