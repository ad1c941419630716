"""Schemes that a device's runtime cannot execute are refused before anything is opened."""

import numpy as np
import pytest
from small_models import dense_int8

from edgeprune.device.profile import list_profiles, load_profile
from edgeprune.errors import OpError, RecipeError, UnknownNameError
from edgeprune.measuring.schemes import refuse_scheme
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.schemes import SCHEMES, choose_io_type

DEVICES = {profile.id: profile for profile in list_profiles()}


@pytest.mark.parametrize("scheme", ["dynamic_range", "float16"])
@pytest.mark.parametrize("device", [name for name, p in DEVICES.items() if p.runtime.name == "tflm"])
def test_what_needs_hybrid_or_float16_kernels_is_refused_for_every_tflm_device(scheme, device):
    with pytest.raises(RecipeError, match=r"use --scheme int8, int16x8 or none") as caught:
        refuse_scheme(scheme, DEVICES[device])
    assert scheme in caught.value.what
    assert caught.value.exit_code == 3


def test_hybrid_models_are_called_by_their_name():
    with pytest.raises(RecipeError, match="hybrid models"):
        refuse_scheme("dynamic_range", load_profile("cortex-m7"))


def test_the_table_is_right_about_hybrid_models():
    with pytest.raises(OpError):
        run_tflm(dense_int8(activation="FLOAT32", weights="INT8"), (np.zeros((1, 2), np.float32),))


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "none"])
def test_what_tflm_has_kernels_for_is_not_refused(scheme):
    refuse_scheme(scheme, load_profile("cortex-m7"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("device", [name for name, p in DEVICES.items() if p.runtime.name == "litert"])
def test_litert_runs_all_schemes(scheme, device):
    refuse_scheme(scheme, DEVICES[device])


def test_inputs_and_outputs_have_the_type_of_the_activations_by_default():
    assert {name: choose_io_type(name, None) for name in SCHEMES} == {
        "int8": "int8",
        "int16x8": "int16",
        "float16": "float32",
        "dynamic_range": "float32",
        "none": "float32",
    }


def test_a_type_that_the_scheme_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(RecipeError, match="choose int16 or float32"):
        refuse_scheme("int16x8", load_profile("cortex-m7"), io_type="uint8")


def test_a_misspelt_scheme_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="int16x8"):
        refuse_scheme("int16x", load_profile("cortex-m7"))
