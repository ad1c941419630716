import pytest

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.keras2 import translate_model


def layer(kind: str, name: str, inbound: list[object], **config: object) -> dict[str, object]:
    return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": inbound}


def model(*layers: dict[str, object]) -> dict[str, object]:
    ends = [[layers[0]["name"], 0, 0]], [[layers[-1]["name"], 0, 0]]
    config = {"name": "net/1", "layers": list(layers), "input_layers": ends[0], "output_layers": ends[1]}
    return {"class_name": "Functional", "config": config}


def test_idle_groups_go_and_telling_groups_stay() -> None:
    saved = model(layer("DepthwiseConv2D", "a", [], groups=1), layer("DepthwiseConv2D", "b", [], groups=2))
    first, second = translate_model(saved, where="f")["config"]["layers"]
    assert "groups" not in first["config"]
    assert second["config"]["groups"] == 2


def test_the_original_is_left_alone() -> None:
    saved = model(layer("DepthwiseConv2D", "a/b", [], groups=1))
    translate_model(saved, where="f")
    assert saved == model(layer("DepthwiseConv2D", "a/b", [], groups=1))


def test_slashes_go_from_names_and_from_all_that_refers_to_them() -> None:
    saved = model(
        layer("InputLayer", "in/x", []),
        layer("Conv2D", "in_x", [[["in/x", 0, 0, {}]]]),
        layer("Add", "sum", [[["in/x", 0, 0, {}], ["in_x", 0, 0, {}]]]),
    )
    config = translate_model(saved, where="f")["config"]
    assert config["name"] == "net_1"
    assert [item["name"] for item in config["layers"]] == ["in_x_", "in_x", "sum"]
    assert [item["config"]["name"] for item in config["layers"]] == ["in_x_", "in_x", "sum"]
    assert config["layers"][2]["inbound_nodes"] == [[["in_x_", 0, 0, {}], ["in_x", 0, 0, {}]]]
    assert config["input_layers"] == [["in_x_", 0, 0]]


def test_nested_models_are_translated_too() -> None:
    inner = model(layer("DepthwiseConv2D", "a/b", [], groups=1)) | {"name": "inner"}
    nested = translate_model(model(inner), where="f")["config"]["layers"][0]["config"]["layers"][0]
    assert nested["config"] == {"name": "a_b"}


def test_a_plus_of_two_tensors_becomes_an_add_layer() -> None:
    call = ["relu", 0, 0, {"y": ["bn", 0, 0], "name": None}]
    saved = model(layer("TFOpLambda", "plus", [call], function="__operators__.add", dtype="float32"))
    (plus,) = translate_model(saved, where="f")["config"]["layers"]
    assert plus["class_name"] == "Add"
    assert plus["config"] == {"name": "plus", "dtype": "float32"}
    assert plus["inbound_nodes"] == [[["relu", 0, 0, {}], ["bn", 0, 0, {}]]]


@pytest.mark.parametrize(("function", "other"), [("__operators__.add", 2.0), ("image.resize", ["bn", 0, 0])])
def test_any_other_operation_is_refused_by_name(function: str, other: object) -> None:
    saved = model(layer("TFOpLambda", "op", [["relu", 0, 0, {"y": other}]], function=function))
    with pytest.raises(ModelError, match=f"layer 'op' .*tf.{function}"):
        translate_model(saved, where="f")


def test_a_layer_without_a_config_is_refused() -> None:
    saved = model(layer("InputLayer", "a", []) | {"config": 7})
    with pytest.raises(ModelError, match="without a config"):
        translate_model(saved, where="f")
