"""What TensorFlow's converter says when it does not take a model, in words."""

import re
from dataclasses import dataclass

_LACKING = re.compile(r"'?tf\.(\w+)'? op is neither a custom op nor a flex op|Op type not registered '(\w+)'")
_NOISE = re.compile(r"\S*/\S+\.(?:py|cc|h|cpp):\d+(?::\d+)?:?|<unknown>:0:|loc\([^)]*\)*|\b(?:error|note):")
_RAISED = re.compile(r"^\s*\w*(?:Error|Exception): (?P<said>.*)$", re.MULTILINE)
"""The end of a Python traceback, which TensorFlow puts behind "in user code:"."""
_LONGEST_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ConverterError:
    """What is wrong.

    Attributes:
        ops: types of TensorFlow's operations that TFLite has no form of; empty where it names none.
        reason: what it says first, without places in sources.
    """

    ops: tuple[str, ...]
    reason: str


def read_converter_error(text: str) -> ConverterError:
    """What the converter's message says."""
    raised = _RAISED.findall(text) if text.lstrip().startswith("in user code:") else []
    text = raised[-1] if raised else text
    names = dict.fromkeys(name for pair in _LACKING.findall(text) for name in pair if name)
    lines = (" ".join(_NOISE.sub(" ", line).split()) for line in text.splitlines())
    return ConverterError(
        ops=tuple(names), reason=next((line for line in lines if line), "")[:_LONGEST_CHARACTERS]
    )
