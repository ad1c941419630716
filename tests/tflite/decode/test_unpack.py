"""Constants unpacked at compile time are those that were encoded."""

import numpy as np
import pytest
from small_models import real_model
from sparse_models import cluster, sparsify

from edgeprune.errors import ModelError
from edgeprune.tflite.compress import encode, find_candidates
from edgeprune.tflite.decode.unpack import unpack_constants
from edgeprune.tflite.read import read_model


def encode_all(tflite, encoding):
    model = read_model(tflite, where="plain")
    constants = [each.tensors[0] for each in find_candidates(model) if not each.obstacle]
    return encode(tflite, tensors=dict.fromkeys(constants, encoding))


@pytest.mark.parametrize("encoding", ["prune", "lut"])
def test_unpacked_constants_are_those_of_the_plain_file(encoding):
    plain = sparsify(real_model("kws"), 0.8) if encoding == "prune" else cluster(real_model("kws"), 16)
    before = read_model(plain, where="plain")
    after = unpack_constants(read_model(encode_all(plain, encoding), where="encoded"))
    assert [op.name for op in after.ops] == [op.name for op in before.ops]
    for ours, theirs in zip(after.ops, before.ops, strict=True):
        for mine, other in zip(ours.inputs, theirs.inputs, strict=True):
            if other >= 0 and before.tensors[other].is_constant:
                np.testing.assert_array_equal(after.tensors[mine].data, before.tensors[other].data)


def test_a_model_without_encoded_constants_stays_the_same():
    model = read_model(real_model("kws"), where="plain")
    assert unpack_constants(model) is model


def test_an_encoding_that_does_not_fit_its_tensor_is_refused():
    encoded = encode_all(sparsify(real_model("kws"), 0.8), "prune")
    op = read_model(encoded, where="encoded").ops[0]
    mask = read_model(encoded, where="encoded").tensors[op.inputs[0]].data.tobytes()
    broken = encoded.replace(mask, bytes([mask[0] ^ 0xFF]) + mask[1:])
    with pytest.raises(ModelError, match="a constant cannot be unpacked"):
        unpack_constants(read_model(broken, where="broken"))
