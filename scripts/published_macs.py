"""Multiply-accumulates of networks that latencies were published of without their files.

As their papers give them: MobileNetV1 (arXiv 1704.04861, table 1, here for any width and resolution),
MobileNetV2 (1801.04381), MobileNetV3 (1905.02244), ResNet (1512.03385), Inception (1512.00567).
"""

import re
from collections.abc import Mapping

_FIXED = {
    "MobileNet v2 1.0X": 300e6,
    "MobileNet v3 Large": 217e6,
    "MobileNet v3 Small": 56e6,
    "NetsPresso MobileNetV3-small": 56e6,
    "NetsPresso MobileNetV3-large": 217e6,
    "NetsPresso ResNet18": 1.82e9,
    "NetsPresso ResNet34": 3.67e9,
    "NetsPresso ResNet50": 4.1e9,
    "Inception_V1": 1.5e9,
    "Inception_V3": 5.7e9,
}

_BLOCKS = (
    [(32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    + [(512, 512, 1)] * 5
    + [(512, 1024, 2), (1024, 1024, 1)]
)
"""MobileNetV1's depthwise separable blocks: channels in and out, stride."""


def published_macs(line: Mapping[str, str]) -> float | None:
    """Multiply-accumulates of the model of a row, None where they are not known."""
    if line["macs"]:
        return float(line["macs"])
    if line["model"] == "MobileNet v1 1.0X":
        return mobilenet_v1_macs(1.0, 224)
    named = re.fullmatch(r"MobileNetV1 ([\d.]+) (\d+)", line["model"])
    return mobilenet_v1_macs(float(named[1]), int(named[2])) if named else _FIXED.get(line["model"])


def mobilenet_v1_macs(width: float, resolution: int) -> float:
    """Multiply-accumulates of a MobileNetV1 of that width and input resolution."""
    side = resolution // 2
    macs = side**2 * 27 * 32 * width
    for inside, outside, stride in _BLOCKS:
        side = -(-side // stride)
        macs += side**2 * inside * width * (9 + outside * width)
    return macs + 1024 * width * 1000
