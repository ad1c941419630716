"""What the bytes of a build depend on beside its request: the machine, and the versions of what runs on it.

Training adds up numbers, and in which order depends on the cores it may use, on the processor's instructions
and on the libraries. So the manifest of a build and its work directory say on what it was made.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgeprune.runtimes.processes import count_cores

_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-model-optimization",
    "tflite-micro",
    "tflite-runtime",
    "ai-edge-litert",
    "ethos-u-vela",
    "numpy",
)

_VARIABLES = (
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""Variables of the environment that say how TensorFlow computes."""


def installed_versions() -> dict[str, str]:
    """Package → version, of those that results depend on and that are there."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, Any]:
    """This machine and what is installed: what the manifest calls `made_on`, but for accelerators.

    Those are known to TensorFlow alone, see `list_accelerators` of `keras_bridge.training.distribution`.
    """
    return {
        "system": platform.system(),
        "processor": _name_processor(),
        "cores": count_cores(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "python": platform.python_version(),
        "versions": installed_versions(),
    }


def list_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two machines, each as a clause: "cores: 2 then, 1 now".

    Args:
        then: as a file has it; what it does not say is taken to be the same.
        now: as `describe_machine` gives it.
    """
    before, after = dict(_flatten(then)), dict(_flatten(now))
    if "environment" in then:
        before = {**dict.fromkeys(_VARIABLES, ""), **before}
        after = {**after, **{name: after.get(name, "") for name in _VARIABLES}}
    if "versions" in then:
        before = {**dict.fromkeys(_PACKAGES, ""), **before}
    return [
        f"{name}: {before[name] or 'none'} then, {value or 'none'} now"
        for name, value in after.items()
        if before.get(name, value) != value
    ]


def _flatten(machine: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in machine.items():
        if isinstance(value, Mapping):
            yield from ((str(inner), str(found)) for inner, found in value.items())
        else:
            yield str(name), ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _name_processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
