"""A Python function of the user's own that gives data: `module:function` or `file.py:function`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeprune.errors import DataError
from edgeprune.keras_bridge.loading.python_source import import_place

FORMS = "give file.py:function or module:function"


def call_function(source: str) -> Any:
    """What the function at `source` returns; it is called without arguments.

    Raises:
        DataError: the function cannot be found, or fails.
    """
    function = find_function(source)
    try:
        return function()
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever the user's code raises is an input error, no bug of ours
        raise DataError(
            "the function failed", where=source, why=_describe(error), fix="run it on its own to see where"
        ) from error


def find_function(source: str) -> Callable[..., Any]:
    """The function at `module:function` or `file.py:function`.

    Modules beside the file, or in the working directory, can be imported by it, then and whenever it runs.

    Raises:
        DataError: there is none, or its module cannot be imported.
    """
    place, _, name = source.rpartition(":")
    if not (place and name):
        raise DataError("no function is named", where=source, fix=FORMS)
    if place.endswith(".py") and not Path(place).is_file():
        raise DataError("no such file", where=source, fix=FORMS)
    try:
        module = import_place(place)
    except (Exception, SystemExit) as error:  # an import runs the user's own code
        raise DataError(
            "the module cannot be imported", where=source, why=_describe(error), fix=FORMS
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise DataError(
            f"there is no function '{name}' in '{place}'",
            where=source,
            why=f"it has {', '.join(known[:8]) or 'none'}",
            fix="give one of its functions",
        )
    return function  # type: ignore[no-any-return]


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
