"""Which of several machines this process is: `TF_CONFIG`, as TensorFlow reads it."""

import json
import os

from edgeprune.errors import RecipeError

_KINDS = ("chief", "worker")


def is_first_worker() -> bool:
    """Whether this process is the chief or, where there is none, the first worker: the one that writes.

    Raises:
        RecipeError: `TF_CONFIG` does not say which worker this is.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        told = json.loads(text)
        cluster, kind, index = told["cluster"], told["task"]["type"], int(told["task"]["index"])
        addresses = cluster[kind] if kind in _KINDS else []
        is_named = 0 <= index < len(addresses)
        has_chief = bool(cluster.get("chief"))
    except (ValueError, TypeError, KeyError, AttributeError):
        is_named = False
    if not is_named:
        raise RecipeError(
            "TF_CONFIG does not say which worker this is, and where the others are",
            where="--distribute multiworker",
            why=f"it is {text[:80]}" if text else "it is not set",
            fix="set it on each machine, with that machine's index: "
            '{"cluster": {"worker": ["a.example:2222", "b.example:2222"]}, '
            '"task": {"type": "worker", "index": 0}}',
        )
    return kind == "chief" if has_chief else index == 0
