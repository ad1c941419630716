import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.runtimes.litert_choice import explain_unusable
from edgeprune.tflite.delegates import DELEGATES, plan_delegation
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema

SHARED = Path(__file__).parents[2] / ".." / "shared" / "models"
ASK = """
import sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
for path in sys.argv[1:]:
    try:
        bare = Interpreter(path, experimental_op_resolver_type=plain)
        full = Interpreter(path)
        full.allocate_tensors()
        print(path, full._interpreter.NumNodes() - bare._interpreter.NumNodes())
    except (RuntimeError, ValueError): print(path, "fails")
"""


def plan(data, name="xnnpack"):
    return plan_delegation(read_model(data, where="made"), DELEGATES[name])


def chain(*names, dtype="FLOAT32"):
    """Ops in a row; each reads what the one before wrote."""
    scale = None if dtype == "FLOAT32" else 0.5
    tensors = [tensor((1, 4, 4, 4), dtype, scale=scale) for _ in range(len(names) + 1)]
    ops = [(name, (at,), (at + 1,), None) for at, name in enumerate(names)]
    return model(tensors, ops, inputs=[0], outputs=[len(names)])


def test_ops_in_a_row_that_it_takes_are_one_partition():
    found = plan(chain("RELU", "ABS", "RELU6"))
    assert (found.taken, found.partitions, found.left) == (3, 1, ())
    assert found.describe() == "XNNPACK takes 3 of 3 ops in 1 partition"


def test_an_op_that_it_does_not_take_parts_the_others_and_is_named_with_its_reason():
    found = plan(chain("RELU", "ZEROS_LIKE", "RELU6"))
    assert (found.taken, found.partitions) == (2, 2)
    assert found.left == ((1, "ZEROS_LIKE", "it has no kernel"),)
    assert found.describe() == (
        "XNNPACK takes 2 of 3 ops in 2 partitions, and leaves to the interpreter "
        "1 ZEROS_LIKE (it has no kernel)"
    )
    assert found.to_json()["left"] == [{"op": "ZEROS_LIKE", "count": 1, "reason": "it has no kernel"}]


def test_branches_that_do_not_wait_for_what_is_left_are_one_partition():
    tensors = [tensor((1, 4), "FLOAT32") for _ in range(5)]
    # Two inputs: one branch is left to the interpreter, the other and the sum are not.
    ops = [
        ("RELU", (0,), (2,), None),
        ("ZEROS_LIKE", (1,), (3,), None),
        ("ADD", (2, 3), (4,), load_schema().AddOptionsT()),
    ]
    found = plan(model(tensors, ops, inputs=[0, 1], outputs=[4]))
    assert (found.taken, found.partitions) == (2, 2)
    ops[2] = ("ADD", (2, 0), (4,), load_schema().AddOptionsT())
    assert plan(model(tensors, ops, inputs=[0, 1], outputs=[3, 4])).partitions == 1


def test_types_are_told_apart():
    assert plan(chain("RELU", dtype="FLOAT32")).taken == 1
    assert plan(chain("RELU", dtype="INT8")).left == ((1, "RELU", "it takes float32, not int8"),)
    assert plan(chain("LOGISTIC", dtype="INT8")).taken == 1


@pytest.mark.parametrize(("fused", "reason"), [(1, ""), (4, "it does not compute TANH with it")])
def test_an_activation_that_is_no_clamp_keeps_its_op_from_it(fused, reason):
    options = load_schema().AddOptionsT()
    options.fusedActivationFunction = fused
    tensors = [tensor((1, 4), "FLOAT32") for _ in range(3)]
    data = model(tensors, [("ADD", (0, 1), (2,), options)], inputs=[0, 1], outputs=[2])
    assert [why for _, _, why in plan(data).left] == ([reason] if reason else [])


def test_weights_in_half_precision_are_the_gpus_own():
    half = tensor((1, 4), "FLOAT16", data=np.ones((1, 4), np.float16))
    tensors = [tensor((1, 4), "FLOAT32"), half, tensor((1, 4), "FLOAT32"), tensor((1, 4), "FLOAT32")]
    ops = [("DEQUANTIZE", (1,), (2,), None), ("ADD", (0, 2), (3,), load_schema().AddOptionsT())]
    found = plan(model(tensors, ops, inputs=[0], outputs=[3]), "gpu")
    assert (found.taken, found.partitions) == (2, 1)


def convolution(weights):
    """A 1×1 convolution whose weights the op before it makes: of a constant, or of an input."""
    tensors = [tensor((1, 4, 4, 2), "FLOAT32"), weights, tensor((3, 1, 1, 2), "FLOAT32")]
    tensors += [tensor((3,), "FLOAT32", data=np.zeros(3, np.float32)), tensor((1, 4, 4, 3), "FLOAT32")]
    options = load_schema().Conv2DOptionsT()
    options.strideH = options.strideW = 1
    ops = [("DEQUANTIZE", (1,), (2,), None), ("CONV_2D", (0, 2, 3), (4,), options)]
    fed = [0] if weights.content is not None else [0, 1]
    return model(tensors, ops, inputs=fed, outputs=[4])


def test_weights_in_half_precision_are_constant_for_xnnpack():
    half = np.ones((3, 1, 1, 2), np.float16)
    found = plan(convolution(tensor(half.shape, "FLOAT16", data=half)))
    assert (found.taken, found.partitions) == (2, 1)
    fed = plan(convolution(tensor(half.shape, "FLOAT16")))
    assert (1, "CONV_2D", "its weights are computed") in fed.left


def test_a_gpu_leaves_what_is_not_on_its_list():
    assert plan(chain("RELU", "CEIL", "RELU"), "gpu").left == ((1, "CEIL", "it has no kernel"),)
    assert plan(chain("RELU", "ELU", "HARD_SWISH"), "gpu").left == ()


def test_a_gpu_leaves_other_types_and_more_dimensions():
    def judge(dtype, shape):
        tensors = [tensor(shape, dtype) for _ in range(2)]
        found = plan(model(tensors, [("ABS", (0,), (1,), None)], inputs=[0], outputs=[1]), "gpu")
        return [why for _, _, why in found.left]

    assert judge("FLOAT32", (1, 2, 2, 2)) == judge("INT8", (1, 2)) == []
    assert judge("INT16", (1, 2)) == ["it computes with floats, not int16"]
    assert judge("FLOAT32", (1, 1, 2, 2, 2)) == ["it takes at most 4 dimensions"]


def ask(paths):
    """How many partitions LiteRT's own delegate makes of each file."""
    run = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, paths)], capture_output=True, text=True, check=False
    )
    return dict(line.rsplit(" ", 1) for line in run.stdout.splitlines())


@pytest.mark.skipif(bool(explain_unusable("ai-edge-litert")), reason="LiteRT cannot be loaded here")
def test_the_table_says_what_litert_says(tmp_path):
    names = (
        *(
            "ABS",
            "CEIL",
            "COS",
            "ELU",
            "EXP",
            "FLOOR",
            "HARD_SWISH",
            "LOG",
            "LOGISTIC",
            "NEG",
            "RELU",
            "RELU6",
        ),
        *("RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE"),
    )
    half = np.ones((3, 1, 1, 2), np.float16)
    path = tmp_path / "half.tflite"
    path.write_bytes(convolution(tensor(half.shape, "FLOAT16", data=half)))
    files = {str(path): path}
    for name in names:
        for dtype in ("FLOAT32", "INT8"):
            path = tmp_path / f"{name}.{dtype}.tflite"
            path.write_bytes(chain(name, dtype=dtype))
            files[str(path)] = path
    for path in sorted(SHARED.rglob("*.tflite")):
        files[str(path)] = path
    asked = ask(files)
    compared = {path: said for path, said in asked.items() if said != "fails"}
    assert len(compared) > 30
    assert str(tmp_path / "half.tflite") in compared
    for path, said in compared.items():
        assert plan(files[path].read_bytes()).partitions == int(said), path
