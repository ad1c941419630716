"""Which LiteRT files run in on this machine: the first installed one that can be loaded.

That a package is installed says little. tflite-runtime 2.14 was built for numpy 1: beside numpy 2 it is
imported without a complaint, and fails when it makes its first interpreter. So each is tried once, in a
process of its own.
"""

import subprocess
from functools import cache
from importlib.util import find_spec

from edgeprune.children import describe_ending, python_command, python_environment
from edgeprune.errors import ToolMissingError

LITERT_PACKAGES = {
    "tflite-runtime": "tflite_runtime",
    "ai-edge-litert": "ai_edge_litert",
    "tensorflow": "tensorflow.lite.python",
}
"""Distributions that hold a LiteRT interpreter, with its package; the one to prefer first.

tflite-runtime is the oldest that is still shipped, and rounds as TFLM does; TensorFlow takes seconds to load.
"""

_TRIED = ("tflite-runtime", "ai-edge-litert")
"""TensorFlow is not: that takes as long as running a file, and edgeprune does not work without it."""
_TIMEOUT_SECONDS = 60.0


def list_usable() -> list[str]:
    """Distributions whose LiteRT can be loaded here, the one to prefer first."""
    return [name for name in LITERT_PACKAGES if not explain_unusable(name)]


def choose_litert() -> str:
    """The distribution whose LiteRT runs files here, unless another one is asked for.

    Raises:
        ToolMissingError: there is none, or none can be loaded.
    """
    if usable := list_usable():
        return usable[0]
    raise ToolMissingError(
        "no LiteRT can be loaded",
        why="; ".join(f"{name}: {explain_unusable(name)}" for name in LITERT_PACKAGES),
        fix="pip install ai-edge-litert",
    )


@cache
def explain_unusable(name: str) -> str:
    """Why a distribution of `LITERT_PACKAGES` cannot run a file here, as a clause; "" if it can.

    Takes 0.3 s the first time.
    """
    module = LITERT_PACKAGES[name]
    if find_spec(module.partition(".")[0]) is None:
        return "it is not installed"
    if name not in _TRIED:
        return ""
    try:
        probe = subprocess.run(
            [*python_command("edgeprune.runtimes.litert_probe"), module],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=python_environment(),
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not load within {_TIMEOUT_SECONDS:g} s"
    if probe.returncode == 0:
        return ""
    # What numpy says on its own comes before what the probe ends with.
    last = (probe.stderr.strip().splitlines() or [""])[-1] if probe.returncode > 0 else ""
    return last or f"loading it {describe_ending(probe.returncode)}"
