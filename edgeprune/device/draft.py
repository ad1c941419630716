"""A profile of one's own, started from one that exists."""

import re
from pathlib import Path

from edgeprune.device.profile import ID, find_profile, list_ids, load_profile
from edgeprune.errors import ProfileError
from edgeprune.files import whole_file

_HEADER = """\
# Started from {origin}. What to change, in this order:
#   1. name, board, core, clock_mhz and instructions: what the device is
#   2. [[memory]]: sizes, addresses, and what each may hold; [cache] and wait_states
#   3. [budgets]: what your application leaves to the model, and why
#   4. [flashing] and [emulator]: delete what does not apply
#   5. [latency] and [costs] were those of {origin}: they are borrowed until you measure
#   6. sources: where your figures come from; unverified: what you still have to look up
# 'edgeprune devices validate {file}' finds all errors; use it with --device {file}.
# 'edgeprune devices schema > schema.json' beside it lets an editor help.
"""


def draft_profile(file: Path, *, origin: str, force: bool = False) -> None:
    """Write a copy of a profile under the id of its new file, with a comment that says what to change.

    What was measured on the original is only borrowed on another device, and marked so.

    Args:
        file: the TOML file to write; its name without the ending becomes the id.
        origin: id or file of the profile to start from.
        force: replace a file that exists.

    Raises:
        UnknownNameError: no profile has that id.
        ProfileError: the original has errors, or the file's name is no name for a profile.
        OutputError: the file exists, or cannot be written.
    """
    _check_name(file)
    load_profile(origin)
    text = find_profile(origin).read_text(encoding="utf-8")
    directive, _, rest = text.partition("\n") if text.startswith("#:schema") else ("", "", text)
    rest = re.sub(r"\A(?:#[^\n]*\n)+", "", rest)  # a draft's own first lines
    rest = re.sub(r'^id = ".*"$', f'id = "{file.stem}"', rest, count=1, flags=re.MULTILINE)
    rest = re.sub(r'^evidence = "measured"', 'evidence = "borrowed"', rest, flags=re.MULTILINE)
    header = _HEADER.format(origin=origin, file=file.name)
    with whole_file(file, force=force) as path:
        path.write_text("\n".join(filter(None, (directive, header + rest))), encoding="utf-8")


def _check_name(file: Path) -> None:
    if file.suffix != ".toml":
        raise ProfileError(
            "a profile's file ends in .toml", where=str(file), fix=f"call it {file.stem or 'mine'}.toml"
        )
    if not ID.fullmatch(file.stem):
        raise ProfileError(
            "its name is no id",
            where=str(file),
            fix="use letters, digits, dots, hyphens and underscores, for example my-board.toml",
        )
    if file.stem in list_ids():
        raise ProfileError(
            "a device that ships has this id",
            where=str(file),
            why="a report could not tell the two apart",
            fix="choose another file name",
        )
