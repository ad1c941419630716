"""Runs a command line on a disk with ever more room, from none to enough; for `test_full_disk.py`.

    python full_disk.py DISK OUTPUT STEPS ARGUMENT…

Run it in a mount namespace of its own (`unshare --user --map-root-user --mount`). It mounts a file system on
DISK, where the command is to write OUTPUT and its temporary files, and prints one JSON line for each attempt.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

PAGE = 4096
DISK_BYTES = 64 * 2**20


def main() -> None:
    disk, output = Path(sys.argv[1]), sys.argv[2]
    steps, arguments = int(sys.argv[3]), sys.argv[4:]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    (disk / "temporary").mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(disk / "temporary")
    from edgeprune.cli.main import run

    def attempt(free_bytes: int | None, *more: str) -> dict[str, object]:
        if free_bytes is not None:
            fill(disk, free_bytes)
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run([*arguments, "--output", str(disk / output), *more])
        (disk / "filler").unlink(missing_ok=True)
        return {
            "free_bytes": free_bytes,
            "code": code,
            "said": err.getvalue(),
            "temporary": sorted(path.name for path in (disk / "temporary").iterdir()),
            "left": sorted(path.name for path in disk.iterdir() if path.name != "temporary"),
            "files": read(disk / output),
        }

    def clean() -> None:
        for path in disk.iterdir():
            if path.name == output or path.name == f"{output}.edgeprune-work":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    whole = attempt(None)
    print(json.dumps(whole), flush=True)
    clean()
    needed = sum(-(-len(content) // 2 // PAGE) + 1 for content in whole["files"].values())  # type: ignore[attr-defined]
    stride = max(1, needed // steps)
    pages = 0
    while True:
        tried = attempt(pages * PAGE)
        if tried["code"] != 0 and f"{output}.edgeprune-work" in tried["left"]:  # type: ignore[operator]
            tried["resumed"] = attempt(None, "--resume")
        print(json.dumps(tried), flush=True)
        clean()
        if tried["code"] == 0:
            return
        pages += stride
        assert pages * PAGE < DISK_BYTES


def fill(disk: Path, free_bytes: int) -> None:
    """Leaves that much room."""
    about = os.statvfs(disk)
    with (disk / "filler").open("wb") as filler:
        size = about.f_bavail * about.f_frsize - free_bytes
        if size > 0:
            os.posix_fallocate(filler.fileno(), 0, size)


def read(output: Path) -> dict[str, str]:
    if not output.exists():
        return {}
    files = [path for path in output.rglob("*") if path.is_file()] if output.is_dir() else [output]
    return {path.relative_to(output).as_posix(): path.read_bytes().hex() for path in sorted(files)}


if __name__ == "__main__":
    main()
