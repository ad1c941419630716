"""No text file may depend on the locale of the machine that writes or reads it."""

import ast
from pathlib import Path

import edgeprune

PACKAGE = Path(edgeprune.__file__).parent
PLACE_OF_ENCODING = {"read_text": 0, "write_text": 1}


def find_calls_without_encoding(source: str) -> list[int]:
    """Lines with a `read_text`, `write_text` or `open` in text mode that names no encoding."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(item.arg == "encoding" for item in node.keywords):
            continue
        if isinstance(node.func, ast.Attribute):
            name, mode_at = node.func.attr, 0
            # Members of archives are bytes, whatever the mode.
            if ast.unparse(node.func) in ("os.open", "archive.open"):
                continue
        else:
            name, mode_at = getattr(node.func, "id", ""), 1
        if name in PLACE_OF_ENCODING and len(node.args) <= PLACE_OF_ENCODING[name]:
            found.append(node.lineno)
        if name == "open":
            modes = [*node.args[mode_at : mode_at + 1], *(k.value for k in node.keywords if k.arg == "mode")]
            if not any("b" in ast.unparse(mode) for mode in modes):
                found.append(node.lineno)
    return found


def test_the_rule_finds_what_breaks_it():
    assert find_calls_without_encoding("path.write_text(page)") == [1]
    assert find_calls_without_encoding("path.read_text()") == [1]
    assert find_calls_without_encoding("open(path)") == [1]
    assert find_calls_without_encoding("path.write_text(page, encoding='utf-8')") == []
    assert find_calls_without_encoding("path.write_text(page, 'utf-8')") == []
    assert find_calls_without_encoding("path.open('rb')\nopen(path, mode='wb')") == []


def test_every_text_file_names_its_encoding():
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "scripts").rglob("*.py")]
    faults = [
        f"{file.relative_to(PACKAGE.parent)}:{line}"
        for file in files
        for line in find_calls_without_encoding(file.read_text(encoding="utf-8"))
    ]
    assert files
    assert faults == []
