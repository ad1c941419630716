"""The Python API: which names are documented; their docstrings are read when the page is made."""

import ast
import inspect
import re
from collections.abc import Iterator

import edgeprune
from documentation.markdown import code, escape, page, table
from edgeprune import api, errors
from edgeprune.cli.main import cli
from edgeprune.config.table_schema import read_docstring


def write_api() -> str:
    """The page of functions and what they give back."""
    intro = (
        "`import edgeprune` offers these functions; each is what the command of the same name calls. The "
        "options of `build` are those of a [recipe](recipe.md), under the same names. Errors are in "
        "[Exit codes](exit_codes.md)."
    )
    functions = [f"::: edgeprune.api.{name}" for name in edgeprune.__all__]
    return page("Python API", intro, "## Functions", *functions, "## Results", *_list_results())


def write_exit_codes() -> str:
    """The page of exit codes, and of the errors that end in them."""
    _, _, told = (cli.help or "").partition("Exit codes: ")
    codes = [part.strip().rstrip(".").split(" ", 1) for part in " ".join(told.split()).split(";")]
    rows = [
        [
            code(kind.__name__),
            code(kind.__bases__[0].__name__),
            str(kind.exit_code),
            escape(read_docstring(kind)[0]),
        ]
        for kind in _list_errors()
    ]
    intro = "A crash never exits with 1, so 1 is always an answer: edgeprune worked, and it is no."
    meant = table(["exit code", "meaning"], [[number, escape(meaning)] for number, meaning in codes])
    errors_intro = (
        "From Python these are exceptions of `edgeprune.errors`; with `--json` the same stands under "
        "`error`, with `what`, `where`, `why` and `fix` apart. An `InfeasibleError` has the best build found "
        "as `best`."
    )
    table_of_errors = table(["error", "is a", "exit code", "when"], rows)
    return page("Exit codes", intro, meant, "## Errors", errors_intro, table_of_errors)


def _list_results() -> Iterator[str]:
    """What the functions give back, by their annotations."""
    returned = [inspect.signature(getattr(api, name)).return_annotation for name in edgeprune.__all__]
    names = dict.fromkeys(name for text in returned for name in re.findall(r"\b[A-Z]\w+", text))
    modules = {
        alias.name: node.module
        for node in ast.walk(ast.parse(inspect.getsource(api)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    yield from (f"::: {modules[name]}.{name}" for name in names)


def _list_errors() -> Iterator[type[errors.EdgepruneError]]:
    found = [item for item in vars(errors).values() if inspect.isclass(item)]
    yield from (item for item in found if issubclass(item, errors.EdgepruneError))
