"""Each case was run in tflite-runtime 2.14.0 and ai-edge-litert 1.2.0 on an emulated ARM core, where sparse
kernels showed in fewer instructions: models that hold took them, with the same outputs but for rounding."""

import re

import numpy as np
import pytest
from phone_models import Network, mobilenet
from small_models import model as build_model
from small_models import real_model

from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.sparse.encode import encode_sparsity, find_sparse_candidates
from edgeprune.tflite.sparse.pattern import explain_pattern
from edgeprune.tflite.strip import pack, unpack


def explain(tflite):
    return explain_pattern(read_model(tflite, where="model"))


def start(**settings):
    net = Network(**settings)
    net.pad(1, 1, 1, 1)
    net.conv(16, kernel=3, stride=2, padding="VALID")
    return net


def finish(net):
    net.conv(48)
    net.mean()
    net.dense(2)
    return net.build()


def residual(net):
    net.conv(32)
    before = net.here
    net.depthwise()
    net.conv(32, relu6=False)
    net.add(before)


def squeeze_and_excite(net):
    net.conv(32)
    image = net.here
    net.mean(keep_dims=True)
    net.conv(8)
    net.conv(32, relu6=False)
    net.unary("LOGISTIC")
    net._op("MUL", [image, net.here], net.shape(image), load_schema().MulOptionsT())


def large_depthwise(net):
    net.depthwise(kernel=5)
    net.conv(32)
    net.pad(2, 2, 2, 2)
    net.depthwise(kernel=5, stride=2, padding="VALID")


@pytest.mark.parametrize(
    "middle",
    [
        lambda net: net.depthwise(),
        residual,
        squeeze_and_excite,
        large_depthwise,
        lambda net: (net.conv(32, relu6=False), net.unary("HARD_SWISH")),
    ],
)
def test_a_stretch_of_such_ops_holds(middle):
    net = start()
    middle(net)
    found = explain(finish(net))
    assert found.holds, found.sentence
    assert "can take its sparse kernels from CONV_2D 1 to MEAN" in found.sentence


def test_a_mobilenet_that_pads_on_each_side_holds_stored_dense_or_sparse():
    dense = mobilenet()
    candidates = find_sparse_candidates(read_model(dense, where="dense"))
    encoded = encode_sparsity(dense, tensors=[each.tensor for each in candidates if not each.obstacle])
    found = explain(dense)
    assert found.holds
    assert found.zeros / found.weights == pytest.approx(0.78, abs=0.01)
    again = explain(encoded)
    assert (again.holds, again.weights, again.zeros) == (True, found.weights, found.zeros)


def strided_twice(net):
    net.conv(32)
    net.conv(32, stride=2)


def shifted(net):
    net.pad(0, 1, 0, 1)
    net.depthwise(stride=2, padding="VALID")


def times_a_constant(net):
    constant = net._constant(np.full((1, 1, 1, 16), 2, np.float32))
    net._op("MUL", [net.here, constant], net.shape(), load_schema().MulOptionsT())


@pytest.mark.parametrize(
    ("middle", "reason"),
    [
        (
            lambda net: net.conv(32, kernel=3),
            r"CONV_2D 2 \('conv_2d_2'\) is 3×3 of stride 1 with 16 channels in",
        ),
        (lambda net: net.max_pool(), "MAX_POOL_2D 2 .* has no kernel in the layout"),
        (lambda net: net.unary("TANH"), "TANH 2 .* has no kernel"),
        (strided_twice, "CONV_2D 3 .* is a 1×1 convolution with strides"),
        (shifted, r"DEPTHWISE_CONV_2D 3 .* does not pad 1 pixel on each side; ZeroPadding2D\(1\)"),
        (lambda net: net.depthwise(stride=2), "DEPTHWISE_CONV_2D 2 .* does not pad 1 pixel"),
        (times_a_constant, "MUL 2 .* takes a constant"),
    ],
)
def test_the_first_op_that_stands_in_the_way_is_named(middle, reason):
    net = start()
    middle(net)
    net.conv(32)
    found = explain(finish(net))
    assert not found.holds
    assert found.op is not None
    assert re.search(reason, found.sentence), found.sentence


def test_a_first_convolution_that_pads_as_keras_does_is_named():
    # tfmot#735: MobileNets of keras.applications pad (0, 1), and padding="same" is no better.
    for pads in ((0, 1, 0, 1), None):
        net = Network()
        if pads:
            net.pad(*pads)
        net.conv(16, kernel=3, stride=2, padding="VALID" if pads else "SAME")
        found = explain(finish(net))
        assert not found.holds
        assert "does not pad one pixel on each side; ZeroPadding2D(1)" in found.sentence


def test_grey_images_do_not_begin_a_stretch():
    found = explain(finish(start(channels=1)))
    assert "1 channels in" in found.sentence


def test_a_tensor_that_leaves_the_stretch_is_refused_because_xnnpack_would_compute_nonsense():
    net = start()
    net.conv(32)
    image = net.here
    finish(net)
    shown = build_model(net.tensors, net.ops, inputs=[0], outputs=[net.here, image])
    assert "reads a tensor that is an output of the model, too" in explain(shown).sentence
    net = start()
    net.conv(32)
    image = net.here
    net.mean()
    averaged = net.here
    net.here = image
    net.conv(24)
    loose = build_model(net.tensors, net.ops, inputs=[0], outputs=[averaged, net.here])
    assert "ends the model without an average" in explain(loose).sentence


def test_the_head_of_mobilenet_v1_is_refused():
    net = start()
    net.conv(32)
    net.mean(keep_dims=True)
    net.conv(10)
    net.reshape((1, 10))
    assert "RESHAPE 5" in explain(net.build()).sentence


def test_a_dense_layer_behind_a_dense_layer_is_refused():
    net = start()
    net.conv(64)
    net.mean()
    net.dense(8)
    net.dense(2)
    assert (
        "FULLY_CONNECTED 5 ('fully_connected_5') follows a FULLY_CONNECTED" in explain(net.build()).sentence
    )


def test_a_second_input_from_elsewhere_is_refused():
    net = start()
    net.conv(3)
    at = net.here
    other = net._add(net.shape(), name="second input")
    net.here = at
    net.add(other)
    packed = unpack(finish(net), where="model")
    packed.subgraphs[0].inputs = np.array([0, other], np.int32)
    tflite = pack(packed)
    assert "reads a tensor that does not come from sparse kernels" in explain(tflite).sentence


def test_too_few_zeros_are_counted():
    found = explain(finish(start(sparsity=0.5)))
    assert not found.holds
    assert (found.op, found.zeros, found.weights) == (None, 384, 768)
    assert "384 of 768 weights of its 1×1 convolutions are zero (50.0%)" in found.sentence


def test_a_wide_dense_head_dilutes_the_zeros():
    net = start()
    net.conv(48)
    net.mean()
    net.dense(1000)
    found = explain(net.build())
    assert not found.holds
    assert "1×1 convolutions and FULLY_CONNECTED" in found.sentence


def test_dense_layers_alone_have_nothing_that_counts():
    net = Network(size=1, channels=8)
    net.reshape((1, 8))
    net.dense(4)
    found = explain(net.build())
    assert (found.holds, found.op) == (False, None)
    assert "here are none that count" in found.sentence


def test_integers_have_no_sparse_kernels():
    found = explain(mobilenet(dtype="INT8"))
    assert not found.holds
    assert "CONV_2D 1 ('conv_2d_1') computes in int8" in found.sentence


@pytest.mark.parametrize("name", ["resnet8", "person_detect", "vww"])
def test_real_quantized_models_are_refused_with_the_type(name):
    assert "computes in int8" in explain(real_model(name)).sentence
