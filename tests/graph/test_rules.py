from dataclasses import replace

import pytest
from graph.hand_made import Made, conv, graph_of

from edgeprune.errors import UnknownNameError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layers.activations import activation_name
from edgeprune.graph.layers.rules import RULES, rule, rule_for


def kept_because(made: Made) -> set[str]:
    """Why the four channels in front of a layer stay; {""} if they may go."""
    end = conv("end", made.name, cin=made.shape[-1], cout=2)
    graph = graph_of({"x": (4, 4, 3)}, conv("a", "x", cin=3, cout=4), made, end)
    channels = name_channels(graph)
    return {channels.frozen[group] for group in channels.tensors["a"].tolist()}


def on_image(kind: str, weights: dict[str, tuple[int, ...]] | None = None, **config: object) -> Made:
    return Made("m", kind, ["a"], (4, 4, 4), dict(config), weights or {})


def test_a_rule_is_known_by_its_kind_once() -> None:
    assert rule_for("Conv2D") is RULES["Conv2D"]
    with pytest.raises(ValueError, match="defined twice"):
        rule(replace(RULES["Conv2D"]))


def test_a_kind_without_a_rule_is_kept_with_the_reason() -> None:
    found = rule_for("Mystery")
    assert found.status == "kept"
    assert found.note == "edgeprune has no rule for Mystery layers"
    assert "Mystery" not in RULES


def test_a_misspelt_kind_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="'DepthwiseConv2D'"):
        RULES["DepthwiseConv2d"]


def test_kept_rules_say_why() -> None:
    assert all(found.note for _, found in RULES.items() if found.status == "kept")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            on_image("Conv2D", {"kernel": (1, 1, 4, 4), "kernel_scale": (4,)}),
            "Conv2D with kernel_scale, as quantized layers have",
        ),
        (
            on_image("MaxPooling2D", data_format="channels_first", pool_size=(1, 1)),
            "channels along axis 3, which MaxPooling2D does not follow",
        ),
        (
            on_image("GroupNormalization", groups=2, axis=1),
            "normalised over together with others",
        ),
        (on_image("Masking", mask_value=1.0), "steps are skipped where all channels are 1.0"),
        (on_image("Lambda"), "Lambda runs code that edgeprune cannot read"),
        (on_image("Activation", activation="softmax"), "softmax mixes channels"),
        (on_image("Activation", activation="my_own"), "activation 'my_own' is not known to be element-wise"),
        (on_image("Softmax", axis=3), "softmax mixes channels"),
        (on_image("Softmax", axis=[1, -1]), "softmax mixes channels"),
        (on_image("Rescaling", scale=[1.0, 2.0, 3.0, 4.0]), "Rescaling with one factor per channel"),
        (on_image("Rescaling", offset={"class_name": "__numpy__"}), "Rescaling with one factor per channel"),
        (
            on_image("Normalization"),
            "Normalization holds one mean and variance per channel of the input",
        ),
    ],
)
def test_what_cannot_be_pruned_is_kept_with_its_reason(made: Made, reason: str) -> None:
    assert kept_because(made) == {f"{reason} (layer 'm')"}


@pytest.mark.parametrize(
    "made",
    [
        on_image("Activation", activation="swish"),
        on_image("Activation", activation={"class_name": "ReLU", "config": {"max_value": 6.0}}),
        on_image("Softmax", axis=1),
        on_image("BatchNormalization", axis=3),
        on_image("BatchNormalization", {"gamma": (4,)}, axis=1),
        on_image("LayerNormalization"),
        on_image("LayerNormalization", axis=[1, 3]),
        on_image("GroupNormalization", groups=2, axis=3),
        on_image("Masking", mask_value=0.0),
        on_image("Rescaling", scale=2.0, offset=0.0),
        on_image("PReLU", {"alpha": (1, 1, 4)}),
        on_image("PReLU", {"alpha": (4, 4, 1)}),
        on_image("UpSampling2D"),
    ],
)
def test_what_passes_channels_on_keeps_nothing(made: Made) -> None:
    assert kept_because(made) == {""}


def test_a_convolution_whose_own_softmax_mixes_its_channels_keeps_them() -> None:
    made = on_image("Conv2D", {"kernel": (1, 1, 4, 4)}, activation="softmax")
    graph = graph_of({"x": (4, 4, 3)}, conv("a", "x", cin=3, cout=4), made, conv("b", "m", cin=4, cout=2))
    channels = name_channels(graph)
    reasons = {channels.frozen[group] for group in channels.tensors["m"].tolist()}
    assert reasons == {"softmax mixes channels (layer 'm')"}
    assert kept_because(made) == {""}  # what it reads may go


def test_a_prelu_with_one_slope_per_channel_loses_it_with_the_channel() -> None:
    graph = graph_of(
        {"x": (4, 4, 3)},
        conv("a", "x", cin=3, cout=4),
        on_image("PReLU", {"alpha": (1, 1, 4)}),
        conv("b", "m", cin=4, cout=2),
    )
    channels = name_channels(graph)
    assert channels.axes["m"]["alpha"][2].tolist() == channels.tensors["a"].tolist()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("relu", "relu"),
        (None, "linear"),
        ({"class_name": "function", "config": "gelu"}, "gelu"),
        ({"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}, "leaky_relu"),
        ({"class_name": "Mystery", "config": {}}, "Mystery"),
    ],
)
def test_an_activation_is_named_as_it_stands_in_a_config(value: object, name: str) -> None:
    assert activation_name({"activation": value}) == name
    assert activation_name({}) == "linear"
