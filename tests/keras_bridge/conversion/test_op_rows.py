"""Every op that the converter makes of what users bring has its row in the op table."""

import re
from contextlib import nullcontext, suppress
from pathlib import Path

import keras
import numpy as np
import pytest
from random_pruning import random_inputs

from edgeprune.errors import OpError
from edgeprune.firmware.tflm import write_tflm_package
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from tests.keras_bridge.model.test_architectures import ARCHITECTURES

SCHEMES = ("int8", "int16x8", "none")
# Unrolled recurrent layers take long to convert, and are full of the same few ops.
FEW = ("stacked LSTM", "Transformer", "U-Net", "siamese", "SSD", "ShuffleNet")


@pytest.fixture(scope="module", params=FEW)
def files(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Scheme → file, for the schemes that have a form for all ops of the model."""
    keras.utils.set_random_seed(0)
    model = ARCHITECTURES[request.param][0]()
    x = [np.asarray(array)[:2] for array in random_inputs(model, np.random.default_rng(0))]
    made = {}
    for scheme in SCHEMES:
        with suppress(OpError) if scheme == "int16x8" else nullcontext():
            made[scheme] = convert(model, scheme=scheme, representative=x)
    return made


def names(model: Model) -> set[str]:
    return {op.name for subgraph in model.subgraphs for op in subgraph.ops}


def test_every_op_has_its_row(files: dict[str, bytes]) -> None:
    for scheme, tflite in files.items():
        assert names(read_model(tflite, where=scheme)) <= set(OPS)


def test_what_the_table_says_tflm_can_run_it_runs(files: dict[str, bytes]) -> None:
    for scheme, tflite in files.items():
        model = read_model(tflite, where=scheme)
        zeros = tuple(np.zeros(t.shape, t.dtype) for t in model.inputs)
        if not unsupported_ops(model, runtime="tflm"):
            run_tflm(tflite, zeros)


def test_the_resolver_has_the_ops_of_the_flatbuffer_and_no_other(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    for scheme, tflite in files.items():
        model = read_model(tflite, where=scheme)
        if unsupported_ops(model, runtime="tflm"):
            continue
        write_tflm_package(
            tmp_path,
            tflite=tflite,
            model=model,
            arena_bytes=1000,
            arena_size_bytes=1008,
            arena_evidence="made up",
        )
        header = (tmp_path / "op_resolver.h").read_text()
        assert set(re.findall(r"resolver\.(Add\w+)\(", header)) == {
            OPS[name].tflm_method for name in _builtins(tflite)
        }


def _builtins(tflite: bytes) -> set[str]:
    """Names of the ops that the flatbuffer's operators refer to, read without edgeprune's reader."""
    schema = load_schema()
    packed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    by_code = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    used = {op.opcodeIndex for subgraph in packed.subgraphs for op in subgraph.operators}
    codes = (packed.operatorCodes[index] for index in used)
    return {by_code[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in codes}
