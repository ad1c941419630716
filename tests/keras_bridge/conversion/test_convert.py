import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import DataError, ModelError, OpError, UnknownNameError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schemes import SCHEMES


def classifier() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 2))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(image)))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def samples(*shape: int, count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


def test_int8_models_are_integer_in_and_out_and_throughout() -> None:
    found = read_model(convert(classifier(), scheme="int8", representative=[samples(6, 6, 2)]), where="m")
    assert [t.dtype for t in (*found.inputs, *found.outputs)] == ["int8", "int8"]
    assert [t.shape for t in found.inputs] == [(1, 6, 6, 2)]


def test_int8_outputs_are_close_to_the_float_ones() -> None:
    model, x = classifier(), samples(6, 6, 2)
    run = run_litert(convert(model, scheme="int8", representative=[x]), [x])
    expected = np.asarray(model(x, training=False))
    assert np.abs(run.outputs[0].values - expected).max() < 0.05


def test_calibration_without_data_is_refused() -> None:
    with pytest.raises(DataError, match="needs representative data"):
        convert(classifier(), scheme="int8")


def test_floats_need_no_data() -> None:
    model, x = classifier(), samples(6, 6, 2)
    tflite = convert(model, scheme="none")
    assert {t.dtype for t in read_model(tflite, where="m").inputs} == {"float32"}
    run = run_litert(tflite, [x])
    np.testing.assert_allclose(run.outputs[0].values, np.asarray(model(x, training=False)), atol=1e-5)


def recurrent_models() -> dict[str, keras.Model]:
    keras.utils.set_random_seed(0)
    sequence = keras.Input((6, 4))
    made = {
        "lstm": layers.LSTM(5)(sequence),
        "lstm of sequences": layers.LSTM(5, return_sequences=True)(sequence),
        "backwards": layers.LSTM(5, go_backwards=True)(sequence),
        "bidirectional": layers.Bidirectional(layers.LSTM(5, return_sequences=True))(sequence),
        "stacked": layers.LSTM(3)(layers.LSTM(5, return_sequences=True)(sequence)),
        "with a state that is read": layers.LSTM(5, return_state=True)(sequence)[2],
        "from a state": layers.LSTM(4)(sequence, initial_state=[sequence[:, 0], sequence[:, 1]]),
        "masked": layers.LSTM(5)(layers.Masking(0.0)(sequence)),
        "hard": layers.LSTM(5, recurrent_activation="hard_sigmoid")(sequence),
        "gru": layers.GRU(5)(sequence),
        "simple": layers.Bidirectional(layers.SimpleRNN(5))(sequence),
    }
    return {name: keras.Model(sequence, layers.Dense(3)(x)) for name, x in made.items()}


@pytest.mark.parametrize("name", recurrent_models())
def test_recurrent_layers_compute_the_same_once_they_are_converted(name: str) -> None:
    # Large inputs: the int8 kernel computes nonsense where an LSTM's cells stay below 0.5.
    model, x = recurrent_models()[name], 5 * samples(6, 4)
    expected = np.asarray(model(x, training=False))
    run = run_litert(convert(model, scheme="none"), [x])
    np.testing.assert_allclose(run.outputs[0].values, expected, atol=1e-5)
    if name == "masked":  # a mask is control flow, which the calibrator may not follow
        return
    quantized = run_litert(convert(model, scheme="int8", representative=[x]), [x])
    assert np.abs(quantized.outputs[0].values - expected).max() < 0.1 * np.ptp(expected)


def test_inputs_and_outputs_beside_an_lstm_keep_their_order() -> None:
    inputs = [keras.Input((4, 1), name=name) for name in "cab"]
    model = keras.Model(inputs, [layers.Rescaling(i + 1.0)(x[:, 0]) for i, x in enumerate(inputs)])
    hidden = layers.LSTM(2)(layers.Concatenate()(inputs))
    model = keras.Model(inputs, [*model.outputs, hidden])
    x = [samples(4, 1) + 10 * i for i in range(3)]
    run = run_litert(convert(model, scheme="none"), x)
    for found, expected in zip(run.outputs, model(x, training=False), strict=True):
        np.testing.assert_allclose(found.values, np.asarray(expected), atol=1e-5)


def test_several_inputs_keep_their_order() -> None:
    """first - 10 · second, with ranges far apart: swapped inputs would be clipped beyond recognition."""
    first, second = keras.Input((3,), name="z_first"), keras.Input((3,), name="a_second")
    scaled = layers.Rescaling(10.0)(second)
    model = keras.Model([first, second], layers.Subtract()([first, scaled]))
    a, b = samples(3) * 0.1, samples(3) * 5
    tflite = convert(model, scheme="int8", representative=[a, b])
    run = run_litert(tflite, [a, b])
    expected = a - 10 * b
    assert np.abs(run.outputs[0].values - expected).max() < 0.02 * np.ptp(expected)


def test_inputs_in_a_dictionary_are_converted_too() -> None:
    tensors = {name: keras.Input((3,), name=name) for name in ("b", "a")}
    model = keras.Model(tensors, layers.Subtract()([tensors["a"], tensors["b"]]))
    x = [samples(3), samples(3)[::-1]]
    run = run_litert(convert(model, scheme="none"), x)
    named = dict(zip([t.name for t in model.inputs], x, strict=True))
    np.testing.assert_allclose(run.outputs[0].values, named["a"] - named["b"], atol=1e-6)


def test_the_same_model_gives_the_same_bytes() -> None:
    model, x = classifier(), samples(6, 6, 2)
    assert convert(model, scheme="int8", representative=[x]) == convert(
        model, scheme="int8", representative=[x]
    )


def test_what_the_converter_refuses_is_a_model_error_of_one_line() -> None:
    image = keras.Input((6, 6, 2))
    model = keras.Model(image, keras.ops.erfinv(image))
    with pytest.raises(ModelError, match="TFLite has no form of Erfinv") as caught:
        convert(model, scheme="int8", representative=[samples(6, 6, 2)])
    assert "\n" not in caught.value.message


def test_a_misspelt_scheme_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="int8"):
        convert(classifier(), scheme="int")


# Largest error of a probability.
ERRORS = {"int8": 0.02, "int16x8": 0.005, "float16": 0.001, "dynamic_range": 0.02, "none": 1e-5}


@pytest.mark.parametrize(
    ("scheme", "io_type"), [(name, io_type) for name, s in SCHEMES.items() for io_type in s.io_types]
)
def test_every_scheme_has_the_types_it_promises_and_computes_nearly_the_same(
    scheme: str, io_type: str
) -> None:
    model, x = classifier(), samples(6, 6, 2)
    tflite = convert(model, scheme=scheme, representative=[x], io_type=io_type)
    found = read_model(tflite, where="m")
    assert {t.dtype for t in (*found.inputs, *found.outputs)} == {io_type}
    constants = {t.dtype for t in found.tensors if t.is_constant and len(t.shape) == 4}
    assert constants <= {SCHEMES[scheme].weights, "float32"}
    expected = np.asarray(model(x, training=False))
    assert np.abs(run_litert(tflite, (x,)).outputs[0].values - expected).max() < ERRORS[scheme]
    if scheme in ("int8", "int16x8", "none"):
        assert np.abs(run_tflm(tflite, (x,)).outputs[0].values - expected).max() < ERRORS[scheme]


def test_weights_of_int8_files_are_quantized_per_channel() -> None:
    found = read_model(convert(classifier(), scheme="int8", representative=[samples(6, 6, 2)]), where="m")
    kernels = [t for t in found.tensors if t.is_constant and t.dtype == "int8"]
    assert sorted(t.scales.size for t in kernels) == [3, 4]


@pytest.mark.parametrize("after", [layers.Dense(4), layers.Reshape((2, 4))])
def test_what_is_always_0_has_no_int16_scale_and_the_message_says_what_helps(after: layers.Layer) -> None:
    dead = layers.Dense(8, activation="relu", bias_initializer=keras.initializers.Constant(-100.0))
    model = keras.Sequential([keras.Input((8,)), dead, after])
    model.build()
    advice = "was 0 on all representative samples; give samples on which it is not.* or use int8"
    with pytest.raises(ModelError, match=advice):
        read_model(convert(model, scheme="int16x8", representative=[samples(8)]), where="dead")
    read_model(convert(model, scheme="int8", representative=[samples(8)]), where="dead")


def test_an_op_that_int16x8_lacks_is_named_with_its_layer() -> None:
    image = keras.Input((6, 6, 2))
    x = layers.Activation("elu", name="curved")(layers.Conv2D(4, 3)(image))
    model = keras.Model(image, layers.Activation("relu", name="straight")(x))
    with pytest.raises(OpError, match=r"layer 'curved'.*ELU.*use --scheme int8"):
        convert(model, scheme="int16x8", representative=[samples(6, 6, 2)])


def test_a_function_that_int16x8_lacks_is_named_by_the_layer_before_it() -> None:
    image = keras.Input((6, 6, 2))
    model = keras.Model(image, keras.ops.cos(layers.Conv2D(4, 3, name="first")(image)) + 1.0)
    with pytest.raises(OpError, match=r"after layer 'first'.*COS"):
        convert(model, scheme="int16x8", representative=[samples(6, 6, 2)])
