"""Where a build keeps its finished stages."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeprune.errors import OutputError
from edgeprune.files import writing


class WorkDirectory:
    """Finished stages of one build, each a folder with a `state.json` and whatever files it needs.

    A stage counts as finished once its folder has its final name; it is filled under a temporary one.
    """

    def __init__(self, path: Path, *, key: str, resume: bool) -> None:
        """Open or start it.

        Args:
            path: the folder.
            key: a hash of everything the build depends on.
            resume: keep what is there, if it belongs to the same build; else start afresh.

        Raises:
            OutputError: to be resumed, but it belongs to another build or there is none.
        """
        self.path, self._key = path, key
        if resume:
            self._check_key()
        elif path.exists():
            shutil.rmtree(path)
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
            (path / "key").write_text(key, encoding="utf-8")

    def _check_key(self) -> None:
        file = self.path / "key"
        if not file.is_file():
            raise OutputError(
                "there is nothing to resume",
                where=str(self.path),
                fix="run the same command without --resume",
            )
        if file.read_text(encoding="utf-8") != self._key:
            raise OutputError(
                "the interrupted build was another one",
                where=str(self.path),
                why="its model, data, device or settings differ from this command's",
                fix="repeat the command as it was, or start afresh without --resume",
            )

    def load(self, stage: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder and state of a finished stage, or None."""
        folder = self.path / stage
        if not folder.is_dir():
            return None
        return folder, json.loads((folder / "state.json").read_text(encoding="utf-8"))

    @contextmanager
    def finish(self, stage: str, state: dict[str, Any]) -> Iterator[Path]:
        """A folder to put the stage's files in; the stage is finished when the block ends."""
        with writing(self.path / stage):
            temporary = self.path / f".{stage}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield temporary
            (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")
            temporary.rename(self.path / stage)

    def remove(self) -> None:
        """Deletes everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def kept_if_useful(self) -> Iterator[None]:
        """Deletes the directory if the block fails before any stage is finished."""
        try:
            yield
        except BaseException:
            if not any(entry.is_dir() for entry in self.path.glob("[!.]*")):
                self.remove()
            raise
