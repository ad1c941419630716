"""Where a build keeps its finished stages: beside its output, recognised by a file of its own.

NAME.edgeprune-work/
  edgeprune-work.json   which build it belongs to, and on what it began; a folder without it is never touched
  segment-001/ …        finished stages, see `stages.py`
  best/                 the best model of a build whose budgets could not be met
"""

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from edgeprune.build.machine import list_differences
from edgeprune.build.stages import STATE, read_chain, seal_stage
from edgeprune.errors import OutputError
from edgeprune.files import sync_entry, sync_folder, writing
from edgeprune.files.leftovers import remove
from edgeprune.progress import Progress, Silent

MARKER, BEST = "edgeprune-work.json", "best"
SUFFIX = ".edgeprune-work"


def place_of_work(output: Path) -> Path:
    """The work directory of an output."""
    return output.with_name(output.name + SUFFIX)


def check_work(path: Path, *, resume: bool) -> None:
    """Refuse a place that is somebody else's, or that there is nothing to resume in.

    Raises:
        OutputError: something stands there that no build made; or `resume`, and no build began.
    """
    with writing(path):
        mode = path.lstat().st_mode if path.is_symlink() or path.exists() else None
    if mode is None:
        if resume:
            raise _nothing(path)
        return
    is_folder = stat.S_ISDIR(mode)
    if not is_folder or not ((path / MARKER).is_file() or is_empty(path)):
        raise OutputError(
            "stands where the build would keep its finished stages, and is not edgeprune's",
            where=str(path),
            why=f"it holds no {MARKER}" if is_folder else "it is no folder",
            fix="move it away, or choose another --output",
        )
    if resume and not (path / MARKER).is_file():
        raise _nothing(path)


def is_empty(folder: Path) -> bool:
    """Whether nothing is in the folder."""
    return next(folder.iterdir(), None) is None


def list_stages(path: Path) -> list[Path]:
    """The folders of a work directory that are, or were, finished stages."""
    return sorted(p for p in path.glob("[!.]*") if p.name not in (MARKER, BEST))


def _nothing(path: Path) -> OutputError:
    return OutputError(
        "there is nothing to resume", where=str(path), fix="run the same command without --resume"
    )


class WorkDirectory:
    """Finished stages of one build, each a folder with a `state.json` and whatever files it needs.

    A stage counts as finished once its folder has its final name; it is filled under a temporary one. What
    does not match its checksums when the build is resumed is removed, and done again.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: str,
        made_on: Mapping[str, Any] | None = None,
        resume: bool,
        progress: Progress | None = None,
    ) -> None:
        """Open or start it.

        Args:
            path: the folder.
            key: a hash of everything the build depends on.
            made_on: this machine, as `describe_machine` gives it; None where it does not matter.
            resume: keep what is there, if it belongs to the same build; else start afresh.
            progress: is told what of it is of no use.

        Raises:
            OutputError: it is no work directory; or to be resumed, but it belongs to another build or there
                is none.
        """
        self.path = path
        self._made_on = dict(made_on or {})
        self._progress = progress or Silent()
        self._states: dict[str, dict[str, Any]] = {}
        self._digest = key
        check_work(path, resume=resume)
        if resume:
            self._open(key)
        else:
            self._start(key)

    @property
    def stages(self) -> tuple[str, ...]:
        """What is finished, in its order."""
        return tuple(self._states)

    def _start(self, key: str) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            # The marker first: a folder without it would be nobody's after a kill.
            marker = json.dumps({"key": key, "made_on": self._made_on}) + "\n"
            (self.path / MARKER).write_text(marker, encoding="utf-8")
            for entry in self.path.iterdir():
                if entry.name != MARKER:
                    remove(entry)
            sync_folder(self.path)

    def _open(self, key: str) -> None:
        found, began_on = self._read_marker()
        if found is None:
            self._progress.warn(f"{self.path}: its {MARKER} is damaged, so the build starts afresh")
            self._start(key)
            return
        if found != key:
            raise OutputError(
                "the interrupted build was another one",
                where=str(self.path),
                why="its model, data, device, settings or versions differ from this command's",
                fix="repeat the command as it was, or start afresh without --resume",
            )
        differences = list_differences(began_on, self._made_on)
        if differences:
            self._progress.warn(
                f"{self.path}: it began on another machine ({'; '.join(differences)}), so the result may "
                "differ in its bytes from one that is built in one go"
            )
        with writing(self.path):
            chain = read_chain(list_stages(self.path), key=key)
            self._states, self._digest = chain.states, chain.digest
            for name, why in chain.refused.items():
                self._progress.warn(f"{self.path / name} is done again: {why}")
            for entry in self.path.iterdir():
                if entry.name not in (MARKER, BEST, *self._states):
                    remove(entry)

    def _read_marker(self) -> tuple[str | None, dict[str, Any]]:
        """The build's key, None where it cannot be read, and the machine that it began on."""
        try:
            marker = json.loads((self.path / MARKER).read_bytes())
            key, made_on = marker["key"], marker.get("made_on")
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None, {}
        return key if isinstance(key, str) else None, made_on if isinstance(made_on, dict) else {}

    def load(self, stage: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder and state of a finished stage, or None."""
        state = self._states.get(stage)
        return None if state is None else (self.path / stage, deepcopy(state))

    @contextmanager
    def finish(self, stage: str, state: dict[str, Any]) -> Iterator[Path]:
        """A folder to put the stage's files in; the stage is finished when the block ends."""
        with writing(self.path / stage):
            temporary = self.path / f".{stage}"
            remove(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            (temporary / STATE).write_text(json.dumps(state), encoding="utf-8")
            seal = seal_stage(temporary, stage=stage, after=self._digest)
            sync_folder(temporary)
            temporary.rename(self.path / stage)
            sync_entry(self.path)
        self._digest = seal.digest
        self._states[stage] = json.loads(json.dumps(state))  # as a build that is resumed will find it

    def remove(self) -> None:
        """Deletes everything; the marker last, so that what a kill leaves is still known as ours."""
        if not self.path.is_dir():
            return
        for entry in self.path.iterdir():
            if entry.name != MARKER:
                remove(entry)
        remove(self.path)

    @contextmanager
    def kept_if_useful(self) -> Iterator[None]:
        """Deletes the directory if the block fails before there is anything in it to go on from."""
        try:
            yield
        except BaseException:
            if not self._states and not (self.path / BEST).exists():
                self.remove()
            raise
