"""Zip archives, looked at before Python lists what is in them."""

from pathlib import Path

from edgeprune.errors import InputError

_END, _END_BYTES, _LONGEST_COMMENT_BYTES = b"PK\x05\x06", 22, 0xFFFF
_LONGEST_DIRECTORY_BYTES = 1 << 20
"""Some 15,000 members; listing a million takes seconds, and hundreds of bytes of memory each."""


def refuse_many_members(path: Path, kind: type[InputError]) -> None:
    """Refuse an archive whose directory of members is longer than any that somebody needs.

    Args:
        path: a file; one that is no archive passes.
        kind: the error to raise: what the file is for.

    Raises:
        InputError: of that kind.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _END_BYTES - _LONGEST_COMMENT_BYTES))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        return
    directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory_bytes > _LONGEST_DIRECTORY_BYTES:
        raise kind(
            "lists too many members",
            where=str(path),
            why=f"the archive's directory is {directory_bytes} bytes long",
            fix="write it again with fewer arrays or files",
        )
