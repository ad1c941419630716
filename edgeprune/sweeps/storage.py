"""Where a sweep's trials live: a folder that all machines see, or a URL that fsspec opens.

plan.json               what was asked, so that --resume goes on with the same
trials/NAME/trial.json  rows of a trial that has ended
trials/NAME/out/        its build, and out.edgeprune-work/ as long as it runs
trials/NAME/log.txt     what it said; starts.jsonl: when and where it was begun
sweep.json, sweep.parquet, sweep.html
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeprune.errors import OutputError
from edgeprune.files import write_file
from edgeprune.sweeps.rows import TRIAL_FILE, Row, read_trial

PLAN_FILE, TRIALS = "plan.json", "trials"
REQUEST_FILE, OUTPUT, STARTS, LOG = "request.json", "out", "starts.jsonl", "log.txt"


class Storage:
    """A sweep's place; a trial is always built in a local folder, which `push` brings there."""

    def __init__(self, place: str) -> None:
        """Open it.

        Args:
            place: a path, or a URL such as s3://bucket/sweep.
        """
        self.place, self._remote = place, None
        self._local = Path(place).absolute()  # workers have other working directories
        if "://" not in place:
            self.place = str(self._local)
        else:
            from fsspec.core import url_to_fs

            self._remote, self._root = url_to_fs(place)
            digest = hashlib.sha256(place.encode()).hexdigest()[:16]
            self._local = Path(tempfile.gettempdir(), f"edgeprune-sweep-{digest}")

    @property
    def local(self) -> Path:
        """Its folder on this machine."""
        return self._local

    def start(self, plan: dict[str, Any], *, resume: bool) -> None:
        """Keeps the plan, or holds it against the one that is to be gone on with.

        Raises:
            OutputError: there is a sweep already, none to resume, or another one.
        """
        self.pull("")
        file = self._local / PLAN_FILE
        found = json.loads(file.read_bytes()) if file.is_file() else None
        if found is None and resume:
            raise OutputError("there is no sweep to resume", where=self.place, fix="leave out --resume")
        if found is not None and not resume:
            raise OutputError(
                "there is a sweep already",
                where=self.place,
                fix="go on with --resume, or choose another --storage",
            )
        if found is not None and found != plan:
            keys = sorted(key for key in {*found, *plan} if found.get(key) != plan.get(key))
            raise OutputError(
                "the sweep in it was another one",
                where=self.place,
                why=f"its {', '.join(keys)} differ",
                fix="repeat the command as it was, or choose another --storage",
            )
        self._local.mkdir(parents=True, exist_ok=True)
        write_file(file, json.dumps(plan, indent=2).encode() + b"\n", force=True)
        self.push(PLAN_FILE)

    def folder(self, trial: str) -> Path:
        """Of a trial, with whatever was there when it was begun elsewhere."""
        folder = self._local / TRIALS / trial
        if not folder.exists():
            self.pull(f"{TRIALS}/{trial}")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def ended(self) -> set[str]:
        """Names of the trials that have ended."""
        return {file.parent.name for file in self._local.glob(f"{TRIALS}/*/{TRIAL_FILE}")}

    def rows(self) -> Iterator[Row]:
        """Of all trials that have ended, by name."""
        for file in sorted(self._local.glob(f"{TRIALS}/*/{TRIAL_FILE}")):
            yield from read_trial(file, root=self._local)

    def push(self, path: str) -> None:
        """Brings a file or folder, if there is one, to a remote place; a local one is there already."""
        if self._remote is None:
            return
        source = self._local / path
        for file in source.rglob("*") if source.is_dir() else [source]:
            if file.is_file():
                target = f"{self._root}/{file.relative_to(self._local).as_posix()}"
                self._remote.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._remote.put_file(str(file), target)

    def pull(self, path: str) -> None:
        """Fetches what of a folder is not here yet."""
        if self._remote is None:
            return
        for name in self._remote.find(f"{self._root}/{path}".rstrip("/")):
            target = self._local / name.removeprefix(self._root).lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                self._remote.get_file(name, str(target))

    def forget(self, path: str) -> None:
        """Removes a folder, here and there."""
        shutil.rmtree(self._local / path, ignore_errors=True)
        if self._remote is not None and self._remote.exists(f"{self._root}/{path}"):
            self._remote.rm(f"{self._root}/{path}", recursive=True)
