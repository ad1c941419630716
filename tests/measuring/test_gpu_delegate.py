"""Files for a phone's GPU: what the delegate leaves is refused, or leaves the latency unknown."""

import pytest
from phone_models import mobilenet
from small_models import model, tensor

from edgeprune.build.request import make_request
from edgeprune.device.profile import load_profile, use_cores
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import backend_of, check_ops
from edgeprune.measuring.runtime import choose_delegate
from edgeprune.measuring.schemes import refuse_scheme

PHONE = load_profile("galaxy-s10")
GPU = choose_delegate(PHONE, "gpu")


def with_an_op(name):
    """A file with an op between two that the GPU takes."""
    tensors = [tensor((1, 4, 4, 4), "FLOAT32") for _ in range(4)]
    ops = [("RELU", (0,), (1,), None), (name, (1,), (2,), None), ("RELU", (2,), (3,), None)]
    return model(tensors, ops, inputs=[0], outputs=[3])


def test_a_network_that_it_takes_has_a_latency_and_no_refusal():
    measured = backend_of(GPU).measure(mobilenet())
    assert measured.unsupported == ()
    assert "Mali-G76" in measured.figures["latency_ms"].evidence
    assert check_ops(measured, GPU).figure.source == "estimated"  # it ran on no GPU


def test_an_op_that_it_leaves_is_refused_by_name_where_all_is_to_be_on_the_gpu():
    measured = backend_of(GPU).measure(with_an_op("CEIL"))
    assert measured.unsupported == ("the GPU delegate leaves CEIL: it has no kernel",)
    assert not check_ops(measured, GPU).ok
    assert backend_of(GPU).measure(with_an_op("ABS")).unsupported == ()


def test_elsewhere_such_an_op_leaves_the_latency_of_the_gpu_unknown():
    on_gpu = backend_of(use_cores(PHONE, "gpu")).measure(with_an_op("CEIL"))
    assert on_gpu.unsupported == ()
    assert on_gpu.figures["latency_ms"].value is None
    assert "leaves CEIL" in on_gpu.figures["latency_ms"].evidence
    assert backend_of(PHONE).measure(with_an_op("CEIL")).figures["latency_ms"].value > 0


def test_schemes_of_integers_are_refused_and_float16_is_the_usual_one():
    for scheme in ("int8", "int16x8", "dynamic_range"):
        with pytest.raises(RecipeError, match="float16 or none"):
            refuse_scheme(scheme, GPU)
    refuse_scheme("float16", GPU)
    assert make_request({"device": "pixel-8", "delegate": "gpu"}).scheme == "float16"
    assert make_request({"device": "pixel-8", "delegate": "gpu", "scheme": "none"}).scheme == "none"
    assert make_request({"device": "pixel-8"}).scheme == "int8"


def test_only_phones_whose_gpu_is_known_have_it():
    with pytest.raises(RecipeError, match="choose a phone"):
        choose_delegate(load_profile("raspberry-pi-4"), "gpu")
    with pytest.raises(RecipeError, match="nobody timed the GPU"):
        choose_delegate(load_profile("android-entry"), "gpu")
