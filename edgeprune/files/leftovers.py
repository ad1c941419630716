"""What stands beside an output while it is written, and what is left of that after a kill.

    .NAME.edgeprune-new    the output that is being written
    .NAME.edgeprune-old    the one that it replaces, from one rename to the next
    .NAME.edgeprune-lock   who is writing it

The names are the same each time, so that whoever holds the lock knows what is left over.
"""

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Literal

_LONGEST_NAME_BYTES = 255
"""Of ext4, XFS, APFS, NTFS and most others."""


def beside(output: Path, role: Literal["new", "old", "lock"], *, suffix: str = "") -> Path:
    """The path beside the output for something that serves it; `suffix` is what its name is to end in."""
    name = f".{output.name}.edgeprune-{role}{suffix}"
    if len(os.fsencode(name)) > _LONGEST_NAME_BYTES:
        short = sha256(os.fsencode(output.name)).hexdigest()[:32]
        name = f".{short}.edgeprune-{role}{suffix if len(suffix) < 16 else ''}"
    return output.with_name(name)


def sweep(output: Path) -> None:
    """Removes what a dead process left beside the output, and puts back what it had moved aside.

    Only for the process that holds the output's lock.
    """
    old = beside(output, "old")
    if os.path.lexists(old) and not os.path.lexists(output):
        old.rename(output)
    for left in (old, beside(output, "new"), beside(output, "new", suffix=output.suffix)):
        remove(left)


def remove(path: Path) -> None:
    """Deletes a file or a folder of ours, if it is there; a link is deleted, not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink(missing_ok=True)
