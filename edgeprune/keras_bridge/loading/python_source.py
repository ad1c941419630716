"""Python of the user's own: `module` or `file.py`, imported as if it stood beside the program."""

import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """A file that was imported; `stamp` changes with its content."""

    module: ModuleType
    stamp: tuple[int, int]


_LOADED: dict[Path, _Loaded] = {}


def import_place(place: str) -> ModuleType:
    """The module at `module` or `file.py`.

    What lies beside the file, or in the working directory of a module, can be imported by it, then and later:
    the folder stays on `sys.path`. A file is known to `sys.modules` by its stem, or, where that name
    is taken, by a longer one; it is run once, and again when it has changed.

    Raises:
        Exception: whatever the user's code raises, or that it is not there.
        SystemExit: the user's code ends the program.
    """
    importlib.invalidate_caches()
    if not place.endswith(".py"):
        _look_in(Path.cwd())
        return importlib.import_module(place)
    return _import_file(Path(place).resolve())


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    about = path.stat()
    stamp = (about.st_mtime_ns, about.st_size)
    known = _LOADED.get(path)
    if known is not None and known.stamp == stamp and sys.modules.get(known.module.__name__) is known.module:
        return known.module
    _look_in(path.parent)
    name = path.stem.replace(".", "_") if known is None else known.module.__name__
    before = sys.modules.get(name)
    if known is None and before is not None:
        if path == Path(getattr(before, "__file__", None) or ".").resolve():
            return before
        name = f"{name}_{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # every .py file has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    _LOADED[path] = _Loaded(module=module, stamp=stamp)
    return module
