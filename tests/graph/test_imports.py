"""The packages below Keras can be read from the bottom up: nothing in them imports what imports it."""

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import edgeprune

ROOT = Path(edgeprune.__file__).parent
PACKAGES = ("graph", "prune", "tflite", "device")


def sources() -> dict[str, str]:
    """Module name → text, of all modules of `PACKAGES`."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = (".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in paths)
    return {name.removesuffix(".__init__"): path.read_text() for name, path in zip(names, paths, strict=True)}


def late_imports(source: str) -> list[int]:
    """The lines of imports inside functions."""
    functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.Lambda))
    inside = (n for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom))
    return sorted({n.lineno for n in inside})


def find_cycle(modules: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle; imports for types alone count as well."""
    imported: dict[str, set[str]] = {}
    for name, source in modules.items():
        found = imported.setdefault(name, set())
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
                found.add(node.module)
        found &= set(modules) - {name}  # a package names its modules through itself
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return []


def test_no_import_stands_inside_a_function() -> None:
    assert {name: found for name, source in sources().items() if (found := late_imports(source))} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert find_cycle(sources()) == []


@pytest.mark.parametrize(
    "late", ["def f():\n    import a\n", "def f():\n    if f:\n        from a import b\n"]
)
def test_a_late_import_is_noticed(late: str) -> None:
    assert late_imports("import a\n" + late) == [late.count("\n") + 1]


def test_a_circle_is_noticed() -> None:
    modules = {"p.a": "from p.b import f", "p.b": "def f():\n    from p import c", "p.c": "import p.a"}
    assert set(find_cycle(modules)) == set(modules)
    assert find_cycle({**modules, "p.c": "import q"}) == []
