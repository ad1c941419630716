import dataclasses
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeprune.errors import DataError, ModelError
from edgeprune.keras_bridge.data.user_function import call_function, find_function
from edgeprune.keras_bridge.loading.custom import import_custom


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Paths and modules as they were."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "own_data.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def refusal(source: str) -> DataError:
    with pytest.raises(DataError) as caught:
        call_function(source)
    assert caught.value.fix
    assert caught.value.where == source
    assert "\n" not in caught.value.message
    return caught.value


def test_a_function_in_a_file_is_called(write: Callable[..., Path]) -> None:
    assert call_function(f"{write('def give(): return 3')}:give") == 3


def test_a_file_imports_what_lies_beside_it(write: Callable[..., Path]) -> None:
    write("VALUE = 5", "own_neighbour.py")
    path = write("from own_neighbour import VALUE\ndef give(): return VALUE")
    assert call_function(f"{path}:give") == 5


def test_a_file_imports_what_lies_beside_it_when_it_runs(write: Callable[..., Path]) -> None:
    write("VALUE = 6", "own_late.py")
    path = write(
        "def give():\n    def late():\n        import own_late\n        yield own_late.VALUE\n    return late"
    )
    assert list(call_function(f"{path}:give")()) == [6]


def test_a_module_is_found_in_the_working_directory(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("def give(): return 7", "own_module.py").parent)
    assert call_function("own_module:give") == 7


def test_what_a_file_defines_can_be_pickled(write: Callable[..., Path]) -> None:
    path = write("from dataclasses import dataclass\n@dataclass\nclass Thing:\n    size: 'int'")
    thing = find_function(f"{path}:Thing")(2)
    assert dataclasses.asdict(pickle.loads(pickle.dumps(thing))) == {"size": 2}


def test_a_name_that_is_taken_stays_with_its_owner(write: Callable[..., Path]) -> None:
    path = write("def give(): return __name__", "json.py")
    import json

    assert call_function(f"{path}:give").startswith("json_")
    assert sys.modules["json"] is json


def test_a_file_is_run_once_and_again_when_it_has_changed(write: Callable[..., Path]) -> None:
    path = write("class Thing: pass")
    assert find_function(f"{path}:Thing") is find_function(f"{path}:Thing")
    write("class Thing: number = 10")
    assert find_function(f"{path}:Thing").number == 10  # type: ignore[attr-defined]


def test_a_file_that_is_imported_already_is_not_run_again(write: Callable[..., Path]) -> None:
    path = write("def give(): pass")
    sys.path.insert(0, str(path.parent))
    import own_data  # type: ignore[import-not-found]

    assert find_function(f"{path}:give") is own_data.give


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("def give(): raise KeyError('gone')", "give", "the function failed (KeyError: 'gone')"),
        ("import sys\ndef give(): sys.exit(1)", "give", "the function failed (SystemExit: 1)"),
        ("raise OSError('no\\ndisk')", "give", "the module cannot be imported (OSError: no disk)"),
        ("def (", "give", "SyntaxError"),
        ("def other(): pass", "give", "no function 'give'"),
        ("give = 3", "give", "no function 'give'"),
        ("", "", "no function is named"),
    ],
)
def test_a_function_that_is_of_no_use_is_refused(
    write: Callable[..., Path], text: str, name: str, said: str
) -> None:
    assert said in refusal(f"{write(text)}:{name}").message


def test_what_failed_to_import_is_not_kept(write: Callable[..., Path]) -> None:
    refusal(f"{write('raise OSError()')}:give")
    assert "own_data" not in sys.modules
    assert call_function(f"{write('def give(): return 1')}:give") == 1


@pytest.mark.parametrize("source", ["own_nowhere:give", "own_nowhere.py:give"])
def test_a_missing_module_or_file_is_refused(source: str) -> None:
    refusal(source)


def test_custom_objects_come_from_a_file(write: Callable[..., Path]) -> None:
    path = write("import keras\nclass Mine(keras.layers.Layer): pass", "own_layers.py")
    import keras

    known: dict[str, Any] = dict(keras.saving.get_custom_objects())
    try:
        found = import_custom([f"{path}:Mine"])
        assert found["Mine"].__module__ == "own_layers"
    finally:
        keras.saving.get_custom_objects().clear()
        keras.saving.get_custom_objects().update(known)


def test_a_missing_custom_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="FileNotFoundError"):
        import_custom([f"{tmp_path / 'own_none.py'}:Mine"])
