"""What the op table says of types, against the runtimes themselves: each op, type by type."""

import subprocess
import sys

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.runtimes.litert_choice import explain_unusable
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema

TYPES = ("FLOAT32", "INT8", "INT16", "INT32", "UINT8")
PAIRED = ("DIV", "POW", "SQUARED_DIFFERENCE")
OPTIONS = {
    "DIV": "DivOptionsT",
    "GELU": "GeluOptionsT",
    "L2_NORMALIZATION": "L2NormOptionsT",
    "LEAKY_RELU": "LeakyReluOptionsT",
    "LOG_SOFTMAX": "LogSoftmaxOptionsT",
    "SOFTMAX": "SoftmaxOptionsT",
}
SCALES = {
    ("LOGISTIC", "INT8"): (1 / 256, -128),
    ("LOGISTIC", "UINT8"): (1 / 256, 0),
    ("SOFTMAX", "INT8"): (1 / 256, -128),
    ("SOFTMAX", "UINT8"): (1 / 256, 0),
    ("TANH", "INT8"): (1 / 128, 0),
    ("TANH", "UINT8"): (1 / 128, 128),
    ("L2_NORMALIZATION", "INT8"): (1 / 128, 0),
    ("L2_NORMALIZATION", "UINT8"): (1 / 128, 128),
    ("LOG_SOFTMAX", "INT8"): (1 / 16, 127),
    ("LOG_SOFTMAX", "UINT8"): (1 / 16, 255),
}
"""Scale and zero point that kernels demand of their output."""
ASK = """
import sys, numpy as np
from tflite_runtime.interpreter import Interpreter
for path in sys.argv[1:]:
    try:
        i = Interpreter(path); i.allocate_tensors()
        for d in i.get_input_details(): i.set_tensor(d["index"], np.ones(d["shape"], d["dtype"]))
        i.invoke(); print(path, "runs")
    except (RuntimeError, ValueError): print(path, "fails")
"""


def one_op(name: str, dtype: str) -> bytes:
    is_quantized = dtype in ("INT8", "INT16", "UINT8")
    usual = (1 / 32768, 0) if dtype == "INT16" and name in ("LOGISTIC", "SOFTMAX", "TANH") else (1.0, 0)
    scale, zero_point = SCALES.get((name, dtype), usual)
    read = 1 / 32768 if dtype == "INT16" and name in ("LOGISTIC", "TANH") else 1.0
    count = 2 if name in PAIRED else 1
    inputs = [tensor((1, 4), dtype, scale=read if is_quantized else None) for _ in range(count)]
    output = tensor((1, 4), dtype, scale=scale if is_quantized else None, zero_point=zero_point)
    options = getattr(load_schema(), OPTIONS[name])() if name in OPTIONS else None
    if name == "SOFTMAX":
        options.beta = 1.0
    _, version = OPS[name].litert_versions
    places = list(range(count))
    return model(
        [*inputs, output],
        [(name, places, (count,), options)],
        inputs=places,
        outputs=[count],
        version=version,
    )


@pytest.mark.skipif(bool(explain_unusable("tflite-runtime")), reason="tflite-runtime is not here")
def test_tflite_runtime_takes_the_types_of_the_table_and_no_others(tmp_path) -> None:
    said = {}
    for name in (
        name for name, kind in OPS.items() if kind.litert_dtypes and "bool" not in kind.litert_dtypes
    ):
        for dtype in TYPES:
            path = tmp_path / f"{name}-{dtype}.tflite"
            path.write_bytes(one_op(name, dtype))
            refused = unsupported_ops(read_model(path.read_bytes(), where=name), runtime="litert")
            said[str(path)] = "fails" if refused else "runs"
    ended = subprocess.run(
        [sys.executable, "-c", ASK, *said], capture_output=True, text=True, check=True, timeout=120
    )
    assert dict(line.rsplit(" ", 1) for line in ended.stdout.splitlines()) == said
    assert np.unique(list(said.values())).tolist() == ["fails", "runs"]
