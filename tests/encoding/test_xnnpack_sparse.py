import numpy as np
import pytest
from phone_models import Network, mobilenet
from small_models import real_model

from edgeprune.device.profile import load_profile
from edgeprune.encoding.xnnpack_sparse import choose_sparse, measure_difference
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.timing import explain_no_sparse_kernels
from edgeprune.tflite.read import read_model


@pytest.fixture(scope="module")
def dense():
    return mobilenet()


def choose(tflite, device="pixel-6"):
    return choose_sparse(tflite, profile=load_profile(device), runs=5)


@pytest.mark.skipif(not explain_no_sparse_kernels(), reason="whether sparse wins here depends on the machine")
def test_where_sparse_kernels_cannot_run_the_smaller_file_goes_and_the_gain_is_called_unavailable(dense):
    choice = choose(dense)
    assert choice.encoded
    assert len(choice.tflite) == choice.sparse_bytes < 0.5 * choice.dense_bytes
    assert choice.unavailable
    text = " ".join(choice.sentences)
    assert "unavailable here" in text
    assert "7 of 9 weights are stored without their zeros" in text
    assert choice.dense.runs == choice.sparse.runs == 5
    samples = (np.random.default_rng(3).normal(size=(3, 32, 32, 3)).astype(np.float32),)
    before, after = (run_litert(file, samples).outputs[0].raw for file in (dense, choice.tflite))
    assert np.array_equal(before, after)


def test_the_choice_is_the_encoded_file_or_the_dense_one(dense):
    choice = choose(dense)
    assert choice.encoded == (choice.tflite != dense)
    assert choice.encoded == any(row.encoded for row in choice.tensors)
    assert all(bool(row.reason) != row.encoded for row in choice.tensors)
    document = choice.to_json()
    assert document["pattern"]["holds"]
    assert document["dense"]["median_ms"] > 0
    assert [row["tensor"] for row in document["tensors"]] == [row.tensor for row in choice.tensors]


def test_a_graph_that_xnnpack_would_get_wrong_stays_dense():
    net = Network()
    net.pad(1, 1, 1, 1)
    net.conv(16, kernel=3, stride=2, padding="VALID")
    net.conv(32)
    net.max_pool()
    net.conv(32)
    net.mean()
    tflite = net.build()
    choice = choose(tflite)
    assert choice.tflite == tflite
    assert not choice.encoded
    assert "MAX_POOL_2D 3" in choice.sentences[0]
    assert "removing channels" in choice.sentences[1]
    assert (choice.dense, choice.sparse_bytes) == (None, None)


def test_other_weights_show_as_a_difference(dense):
    assert measure_difference(dense, encoded=dense) == 0
    assert measure_difference(dense, encoded=mobilenet(sparsity=0.5)) > 0.01


def test_a_file_without_enough_zeros_stays_dense():
    choice = choose(mobilenet(sparsity=0.5))
    assert not choice.encoded
    assert "over two thirds" in choice.sentences[0]


def test_integers_and_other_devices_stay_dense(dense):
    assert "computes in int8" in choose(real_model("resnet8")).sentences[0]
    assert "has no sparse kernels" in choose(dense, device="cortex-m7").sentences[0]


@pytest.mark.parametrize(("device", "warned"), [("pixel-6", False), ("raspberry-pi-4", True)])
def test_old_cores_need_a_newer_runtime_and_it_is_said(dense, device, warned):
    choice = choose(dense, device=device)
    if choice.encoded:
        assert ("half-precision arithmetic, which Cortex-A72 lacks" in choice.sentences[-1]) == warned
        assert ("Compare it with the dense model in int8" in choice.sentences[-1]) != warned
    assert not any(tensor.is_sparse for tensor in read_model(dense, where="dense").tensors)
