"""Damaged `.tflite` files: what fuzzing starts from, and what is done to it."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from small_models import REAL_MODELS, SHARED_MODELS, dense_int8, model, tensor, unary

from edgeprune.tflite.annotate import Annotation, annotate
from edgeprune.tflite.compress import encode
from edgeprune.tflite.metadata import ModelMetadata, TensorMetadata
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.sparse.encode import encode_sparsity
from edgeprune.tflite.strip import pack, unpack

WORDS = (0, 1, 2, 3, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
SMALL_ENOUGH_BYTES = 60_000


def convolution() -> bytes:
    """CONV_2D, AVERAGE_POOL_2D and SOFTMAX with scales per channel."""
    schema = load_schema()
    conv, pool = schema.Conv2DOptionsT(), schema.Pool2DOptionsT()
    conv.strideH = conv.strideW = conv.dilationHFactor = conv.dilationWFactor = 1
    pool.strideH = pool.strideW = pool.filterHeight = pool.filterWidth = 2
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    weights = np.arange(4 * 3 * 3 * 2, dtype=np.int8).reshape(4, 3, 3, 2) - 30
    tensors = [
        tensor((1, 4, 4, 2), scale=0.5, name="image"),
        tensor((4, 3, 3, 2), data=weights, scale=[0.1, 0.2, 0.3, 0.4], name="weights"),
        tensor((4,), "INT32", data=np.arange(4, dtype=np.int32), scale=[0.05, 0.1, 0.15, 0.2], name="bias"),
        tensor((1, 4, 4, 4), scale=0.5, name="made"),
        tensor((1, 2, 2, 4), scale=0.5, name="pooled"),
        tensor((1, 2, 2, 4), scale=1 / 256, zero_point=-128, name="shares"),
    ]
    ops = [
        ("CONV_2D", (0, 1, 2), (3,), conv),
        ("AVERAGE_POOL_2D", (3,), (4,), pool),
        ("SOFTMAX", (4,), (5,), softmax),
    ]
    return model(tensors, ops, inputs=[0], outputs=[5], signature=True)


def branching() -> bytes:
    """IF with a RELU in one branch and a LOGISTIC in the other."""
    schema = load_schema()
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    tensors = [tensor((1,), "BOOL", name="which"), tensor((1, 4), scale=1.0), tensor((1, 4), scale=1.0)]
    packed = unpack(
        model(tensors, [("IF", (0, 1), (2,), options)], inputs=[0, 1], outputs=[2]), where="branching"
    )
    for number, name in ((1, "RELU"), (2, "LOGISTIC")):
        branch = unpack(unary(name), where=name)
        branch.subgraphs[0].operators[0].opcodeIndex = number
        for entry in branch.subgraphs[0].tensors:
            entry.buffer = 0
        packed.operatorCodes.append(branch.operatorCodes[0])
        packed.subgraphs.append(branch.subgraphs[0])
    return pack(packed)


def annotated() -> bytes:
    """A dense layer with metadata, a signature and labels behind it."""
    metadata = ModelMetadata(
        name="sums",
        inputs=(TensorMetadata(name="input", mean=(0.0,), std=(1.0,), minimum=(-1.0,), maximum=(1.0,)),),
        outputs=(TensorMetadata(name="output", labels="labels.txt"),),
    )
    files = {"labels.txt": b"one\ntwo\nthree\n"}
    return annotate(dense_int8(), Annotation(inputs=("x",), outputs=("y",), metadata=metadata, files=files))


def list_victims() -> dict[str, bytes]:
    """Whole files by name: hand-made ones, and the small ones among the shared real ones."""
    made = {
        "dense": dense_int8(signature=True),
        "convolution": convolution(),
        "branching": branching(),
        "annotated": annotated(),
        "encoded": encode(convolution(), tensors={1: "prune"}),
        "float": dense_int8(activation="FLOAT32", weights="FLOAT32"),
        "sparse": encode_sparsity(dense_int8(activation="FLOAT32", weights="FLOAT32"), tensors=[1]),
        "custom": unary("ethos-u"),
    }
    for name, path in REAL_MODELS.items():
        file = SHARED_MODELS / path
        if file.exists() and file.stat().st_size <= SMALL_ENOUGH_BYTES:
            made[name] = file.read_bytes()
    return made


def mutate(victim: bytes, random: Random) -> bytes:
    """The file with something wrong, somewhere."""
    return random.choice(_WAYS)(victim, random)


def mutate_bytes(victim: bytes, random: Random) -> bytes:
    """Any file with something wrong in its bytes."""
    return random.choice((_change_bytes, _change_words, _cut))(victim, random)


def _change_bytes(victim: bytes, random: Random) -> bytes:
    damaged = bytearray(victim)
    for _ in range(random.randint(1, 8)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def _change_words(victim: bytes, random: Random) -> bytes:
    damaged = bytearray(victim)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(damaged) // 4) * 4
        word = int.from_bytes(damaged[place : place + 4], "little")
        word = random.choice(WORDS) if random.random() < 0.5 else word + random.randint(-16, 16)
        damaged[place : place + 4] = (word % 2**32).to_bytes(4, "little")
    return bytes(damaged)


def _cut(victim: bytes, random: Random) -> bytes:
    start = random.randrange(len(victim))
    end = min(len(victim), start + random.randint(1, 400))
    kept = random.choice((b"", bytes(random.randint(1, 64)), victim[start:end] * 2))
    return victim[:start] + kept + (victim[end:] if random.random() < 0.7 else b"")


def _change_field(victim: bytes, random: Random) -> bytes:
    """A file that is a flatbuffer as it should be, with a value in it that it should not have."""
    packed = unpack(victim, where="the victim")
    for _ in range(random.randint(1, 3)):
        _change_below(packed, random)
    try:
        return pack(packed)
    except (TypeError, ValueError, OverflowError, AttributeError):  # no flatbuffer can hold it
        return _change_bytes(victim, random)


def _change_below(part: Any, random: Random) -> None:
    while True:
        names = [name for name, value in vars(part).items() if value is not None]
        if not names:
            return
        name = random.choice(names)
        value = getattr(part, name)
        if isinstance(value, list) and value and hasattr(value[0], "__dict__"):
            if random.random() < 0.1:
                setattr(part, name, _change_list(value, random))
                return
            part = random.choice(value)
        elif hasattr(value, "__dict__"):
            part = value
        else:
            setattr(part, name, _change_value(value, random))
            return


def _change_list(values: list[Any], random: Random) -> list[Any]:
    return random.choice((values[:-1], values[::-1], values + values[-1:], []))


def _change_value(value: Any, random: Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice((value + 1, value - 1, 0, -1, 127, 255, 2**31 - 1, value * 2))
    if isinstance(value, float):
        return random.choice((0.0, -1.0, float("nan"), float("inf"), 1e-38, value * 1e6))
    if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "iuf":
        changed = value.copy()
        place = random.randrange(changed.size)
        limits = (0, 1, 2, 7, 127) if changed.dtype.kind != "f" else (0.0, -1.0, np.nan, np.inf, 1e30)
        if changed.dtype.kind == "i":
            limits = (*limits, -1, -2, np.iinfo(changed.dtype).max, np.iinfo(changed.dtype).min, 65_536)
        changed[place] = random.choice(limits)
        return random.choice((changed, changed, changed, changed[:-1], np.repeat(changed, 2), changed[::-1]))
    if isinstance(value, bytes):
        return random.choice((b"", value * 2, b"\xff\xfe", b"a" * 1000))
    return None


_WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _change_bytes,
    _change_words,
    _cut,
    _change_field,
    _change_field,
    _change_field,
)
