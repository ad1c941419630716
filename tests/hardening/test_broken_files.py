"""Files that no kernel can run: every command refuses them at once, with a sentence that says what to do."""

import time
from pathlib import Path

import numpy as np
import pytest
from small_models import SHARED_MODELS, dense_int8
from tflite_mutations import convolution

from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack

SHARED = SHARED_MODELS.parent / "cases" / "broken"
GOOD = (SHARED_MODELS.parent / "cases" / "tflite", SHARED_MODELS)
COMMANDS = {
    "check on TFLM": ("check", "broken.tflite", "--device", "cortex-m7"),
    "check on a phone": ("check", "broken.tflite", "--device", "pixel-6"),
    "check on an NPU": ("check", "broken.tflite", "--device", "cortex-m55"),
    "view": ("view", "broken.tflite"),
    "strip": ("strip", "broken.tflite", "--output", "out.tflite"),
    "run": ("run", "broken.tflite", "--device", "cortex-m7", "--on", "host"),
    "agree": ("agree", "broken.tflite"),
    "compress": ("compress", "broken.tflite", "--device", "cortex-m7", "--output", "out.tflite"),
    "bench": ("bench", "broken.tflite", "--device", "cortex-m7", "--on", "host"),
    "firmware": ("firmware", "broken.tflite", "--device", "cortex-m7", "--project", "cmake", "--output", "o"),
    "firmware in C": (
        "firmware",
        "broken.tflite",
        "--device",
        "cortex-m7",
        "--runtime",
        "c",
        "--output",
        "o",
    ),
}
SECONDS = 5.0
"""The first command of a process loads modules; on an idle machine the others take a hundredth of that."""


def changed(data, change):
    packed = unpack(data, where="a file")
    change(packed.subgraphs[0])
    return pack(packed)


def quantized(tensor, **values):
    def change(graph):
        quantization = graph.tensors[tensor].quantization
        for key, value in values.items():
            setattr(quantization, key, np.full_like(getattr(quantization, key), value))

    return change


def optioned(op, **values):
    return lambda graph: vars(graph.operators[op].builtinOptions).update(values)


BROKEN = {
    "a NaN scale": changed(dense_int8(), quantized(0, scale=np.nan)),
    "an infinite scale of weights": changed(convolution(), quantized(1, scale=np.inf)),
    "a zero point outside its type": changed(dense_int8(), quantized(3, zeroPoint=300)),
    "a shift of 62": changed(dense_int8(), quantized(3, scale=2.0**-62)),
    "a stride of 0": changed(convolution(), optioned(0, strideH=0)),
    "a window of 0": changed(convolution(), optioned(1, filterHeight=0)),
    "a bias of another length": changed(
        convolution(), lambda graph: setattr(graph.operators[0], "inputs", np.array([0, 1, 1], np.int32))
    ),
    "an op that writes an input": changed(
        dense_int8(), lambda graph: setattr(graph.operators[0], "outputs", np.array([0], np.int32))
    ),
    "an output that is the bias": changed(
        dense_int8(), lambda graph: setattr(graph, "outputs", np.array([3, 2], np.int32))
    ),
    "an output that nobody writes": changed(
        convolution(), lambda graph: setattr(graph, "operators", graph.operators[:2])
    ),
    "a dimension of 400 million": changed(
        convolution(),
        lambda graph: setattr(graph.tensors[3], "shape", np.array([1, 4, 400_000_000, 4], np.int32)),
    ),
}


def require_refusals(place: Path, edgeprune, data: bytes) -> None:
    (place / "broken.tflite").write_bytes(data)
    complaints = []
    for name, arguments in COMMANDS.items():
        begun = time.monotonic()
        ended = edgeprune(*arguments)
        seconds = time.monotonic() - begun
        said = ended.err.count("error: broken.tflite: ") == 1 and "; convert the model again" in ended.err
        if ended.code != 3 or not said or seconds > SECONDS:
            complaints.append(f"{name}: {ended.code} after {seconds:.1f} s: {ended.err[-300:]}")
    assert not complaints, "\n".join(complaints)
    assert sorted(path.name for path in place.iterdir()) == ["broken.tflite", "model.tflite"]


@pytest.mark.parametrize("kind", BROKEN)
def test_every_command_refuses_what_no_kernel_can_run(place, edgeprune, kind) -> None:
    require_refusals(place, edgeprune, BROKEN[kind])


@pytest.mark.parametrize("file", sorted(SHARED.glob("*.tflite")), ids=lambda file: file.stem)
def test_so_it_does_with_files_that_were_met(place, edgeprune, file) -> None:
    require_refusals(place, edgeprune, file.read_bytes())


@pytest.mark.parametrize(
    "file", sorted(f for folder in GOOD for f in folder.rglob("*.tflite")), ids=lambda file: file.stem
)
def test_no_good_file_is_refused(file) -> None:
    read_model(file.read_bytes(), where=file.name)


def test_a_constant_that_is_given_out_is_no_fault_of_the_file(place, edgeprune) -> None:
    """LiteRT and TFLM give it out, and so does the C engine."""
    file = GOOD[0] / "ssd_post.tflite"
    if not file.exists():
        pytest.skip("the shared cases are not here")
    (place / "ssd.tflite").write_bytes(file.read_bytes())
    ended = edgeprune("run", "ssd.tflite", "--device", "cortex-m7", "--on", "host")
    assert ended.code == 0, ended.err
    assert "PASS: " in ended.out
