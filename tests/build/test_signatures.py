"""Signatures bear the names by which a model is called."""

import keras
import numpy as np
from keras import layers

from edgeprune import api
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.read import read_model


def test_keys_of_dicts_are_the_names_of_a_signature() -> None:
    a, b = keras.Input((3,), name="mass"), keras.Input((2,), name="height")
    outputs = {"zebra": layers.Dense(2, name="first")(a), "apple": layers.Dense(1, name="second")(b)}
    model = keras.Model({"mass": a, "height": b}, outputs)
    file = api.convert(model, scheme="none", keep_signatures=True).tflite
    read = read_model(file, where="file")
    (signature,) = read.signatures
    assert set(signature.inputs) == {"mass", "height"}
    given = {"mass": np.ones((1, 3), "float32"), "height": np.ones((1, 2), "float32")}
    wanted = model.predict(given, verbose=0)
    places = {index: name for name, index in signature.inputs.items()}
    run = run_litert(file, tuple(given[places[tensor.index]] for tensor in read.inputs))
    for name, index in signature.outputs.items():
        place = [tensor.index for tensor in read.outputs].index(index)
        np.testing.assert_allclose(run.outputs[place].values, wanted[name], atol=1e-6)
