"""Quantization in two halves, and what may be done between them."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.conversion.calibrate import calibrate, calibrate_again, run_tensors
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.conversion.quantize import quantize
from edgeprune.quantization.int8_file import State, find_peaks, make_file, measure_errors
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.bias import find_biases
from edgeprune.tflite.equalize import choose_factors, equalize, find_pairs
from edgeprune.tflite.pairing import pair_tensors
from edgeprune.tflite.ranges import read_ranges, write_ranges
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

IMAGES = np.random.default_rng(0).normal(size=(40, 12, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, name="first")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D()(layers.Conv2D(8, 1, name="second")(x))
    x = layers.Conv2D(6, 3, activation="relu6", name="third")(x)
    x = layers.Conv2D(6, 1, name="fourth")(x)
    x = layers.GlobalAveragePooling2D()(x)
    made = keras.Model(image, layers.Dense(4, activation="softmax")(x))
    rng = np.random.default_rng(1)
    for weight in made.weights:
        weight.assign(np.asarray(weight) + 0.2 * np.abs(rng.normal(size=weight.shape)))
    kernel, bias = made.get_layer("depthwise").get_weights()
    spread = np.geomspace(0.02, 2.0, 8)  # what per-tensor activations suffer from
    made.get_layer("depthwise").set_weights([kernel * spread[:, None], bias * spread])
    return made


@pytest.fixture(scope="module")
def calibrated(model: keras.Model) -> bytes:
    return calibrate(model, representative=(IMAGES,))


def outputs(tflite: bytes) -> Array:
    return run_litert(tflite, (IMAGES,)).outputs[0].raw


def test_both_halves_together_are_the_whole(model: keras.Model, calibrated: bytes) -> None:
    whole = convert(model, scheme="int8", representative=(IMAGES,))
    np.testing.assert_array_equal(outputs(quantize(calibrated)), outputs(whole))
    assert len(strip(quantize(calibrated))) == len(strip(whole))


@pytest.mark.parametrize("io_type", ["int8", "uint8", "float32"])
def test_inputs_and_outputs_have_the_type_asked_for(calibrated: bytes, io_type: str) -> None:
    file = read_model(quantize(calibrated, io_type=io_type), where="file")
    assert {tensor.dtype for tensor in (*file.inputs, *file.outputs)} == {io_type}


def test_fewer_samples_give_narrower_ranges_and_all_give_them_back(calibrated: bytes) -> None:
    before = read_ranges(calibrated)
    fewer = calibrate_again(calibrated, representative=(IMAGES[:3],))
    narrower = read_ranges(fewer)
    assert narrower.keys() == before.keys()
    assert all(before[i][0] <= narrower[i][0] <= narrower[i][1] <= before[i][1] for i in before)
    assert narrower != before
    assert read_ranges(calibrate_again(fewer, representative=(IMAGES,))) == before


def test_a_range_that_is_written_is_the_range_of_the_int8_tensor(calibrated: bytes) -> None:
    plain = read_model(calibrated, where="calibrated")
    tensor = plain.ops[0].outputs[0]
    made = read_model(quantize(write_ranges(calibrated, {tensor: (0.0, 5.1)})), where="file")
    (scale,) = made.tensors[made.ops[0].outputs[0]].scales
    assert scale == pytest.approx(5.1 / 255, rel=1e-5)


def test_equalizing_changes_no_output_and_brings_channels_to_like_ranges(
    model: keras.Model, calibrated: bytes
) -> None:
    plain = read_model(calibrated, where="calibrated")
    pairs = find_pairs(plain)
    kinds = [(plain.ops[pair.first].name, plain.ops[pair.second].name) for pair in pairs]
    # The first feeds the depthwise one, that one the second, and that one the third across pooling; the third
    # has a ReLU6, which is not homogeneous.
    assert kinds == [
        ("CONV_2D", "DEPTHWISE_CONV_2D"),
        ("DEPTHWISE_CONV_2D", "CONV_2D"),
        ("CONV_2D", "CONV_2D"),
    ]
    stand = State(model=model, calibrated=calibrated, representative=(IMAGES,))
    tensors = {pair.tensor for pair in pairs}
    before = find_peaks(stand, tensors)
    scaled = equalize(calibrated, peaks=before)
    for old, new in zip(
        run_tensors(calibrated, (IMAGES[:5],)), run_tensors(scaled, (IMAGES[:5],)), strict=True
    ):
        last = plain.outputs[0].index
        np.testing.assert_allclose(new[last], old[last], atol=1e-6)
    after = find_peaks(State(model=model, calibrated=scaled, representative=(IMAGES,)), tensors)
    assert all(np.ptp(np.log(after[i])) < np.ptp(np.log(before[i])) for i in tensors)


def test_factors_are_bounded_and_never_enlarge() -> None:
    factors = choose_factors(np.array([0.0, 1.0, 100.0]), None)
    np.testing.assert_allclose(factors, [1 / 16, 1 / 16, 1.0])
    assert choose_factors(np.array([4.0, 1.0]), np.array([1.0, 1.0])).tolist() == [1.0, 0.5]


def test_bias_correction_takes_shifted_means_back(model: keras.Model, calibrated: bytes) -> None:
    stand = State(model=model, calibrated=calibrated, representative=(IMAGES,))
    plain = quantize(calibrated)
    read = read_model(plain, where="int8")
    biases = find_biases(read)
    assert len(biases) == 6
    tampered = make_file(stand, io_type="int8")
    assert tampered == plain
    corrected = make_file(
        State(model=model, calibrated=calibrated, representative=(IMAGES,), corrected=True), io_type="int8"
    )

    def shift(tflite: bytes) -> float:
        found, wanted = [], []
        for file, means in ((tflite, found), (calibrated, wanted)):
            for values in run_tensors(file, (IMAGES[:32],)):
                means.append(
                    {i: v.reshape(-1, v.shape[-1]).mean(axis=0) for i, v in values.items() if v.ndim}
                )
        pairs = pair_tensors(read_model(calibrated, where="c"), read)
        total = 0.0
        for tensor in biases:
            gap = np.mean([a[tensor] - b[pairs[tensor]] for a, b in zip(found, wanted, strict=True)], axis=0)
            total += float(np.mean((gap / read.tensors[tensor].scales[0]) ** 2))
        return total

    assert shift(corrected) < 0.5 * shift(plain)


def test_errors_say_where_accuracy_goes(model: keras.Model, calibrated: bytes) -> None:
    plain = read_model(calibrated, where="calibrated")
    victim = plain.ops[2].outputs[0]
    name = plain.tensors[victim].name
    good = {e.name: e for e in measure_errors(calibrated, quantize(calibrated), inputs=(IMAGES,))}
    assert all(error.saturated < 0.05 and error.sqnr_db > 10 for error in good.values())
    low, high = read_ranges(calibrated)[victim]
    spoilt = quantize(write_ranges(calibrated, {victim: (low / 4, high / 4)}))
    bad = {e.name: e for e in measure_errors(calibrated, spoilt, inputs=(IMAGES,))}
    assert bad[name].saturated > 0.05 > good[name].saturated
    assert bad[name].sqnr_db < good[name].sqnr_db - 5
    wasteful = quantize(write_ranges(calibrated, {victim: (8 * min(low, 0.0), 8 * high)}))
    wide = {e.name: e for e in measure_errors(calibrated, wasteful, inputs=(IMAGES,))}
    assert wide[name].range_used < 0.3 < good[name].range_used
