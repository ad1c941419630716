"""Which devices answer a question."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from edgeprune.device.profile import Profile, list_ids, load_profile
from edgeprune.errors import UnknownNameError

ALL = "all"
"""What stands for every profile that ships."""


def means_many(name: str) -> bool:
    """Whether a name of devices stands for more than one: "all", a pattern, or several after commas."""
    return name == ALL or any(mark in name for mark in "*?[,")


def match_profiles(names: Sequence[str]) -> tuple[Profile, ...]:
    """The profiles that are named, each once.

    Args:
        names: ids, files, patterns of ids such as "nucleo-*", or "all"; several in one after commas.

    Raises:
        UnknownNameError: no profile has that id, or none is like the pattern.
        ProfileError: a file has errors.
    """
    found: dict[str, Profile] = {}
    for name in (part.strip() for given in names for part in given.split(",")):
        pattern = "*" if name == ALL else name
        matching = [known for known in list_ids() if fnmatchcase(known, pattern)]
        if not matching and any(mark in name for mark in "*?["):
            raise UnknownNameError("device", name, list_ids(), listing="edgeprune devices list")
        found |= {profile.id: profile for profile in map(load_profile, matching or [name])}
    return tuple(found.values())


def select_profiles(
    profiles: Sequence[Profile],
    *,
    core: str | None = None,
    kind: str | None = None,
    has_runtime: Callable[[Profile], bool] = lambda profile: True,
    min_ram_kib: float = 0.0,
    min_flash_kib: float = 0.0,
) -> tuple[Profile, ...]:
    """The profiles that have all of what is asked for, in the order given.

    Args:
        profiles: the devices to choose from.
        core: a part of the core's name, for example "m7"; upper and lower case are the same.
        kind: "mcu", "phone" or "sbc".
        has_runtime: whether a device may have the runtime that is asked for.
        min_ram_kib: what the largest block must have that may hold the arena.
        min_flash_kib: what all flash together must have; storage of phones and boards always has it.
    """
    return tuple(
        profile
        for profile in profiles
        if (core is None or core.lower() in profile.core.lower())
        and (kind is None or kind == profile.kind)
        and has_runtime(profile)
        and (profile.largest_ram_kib or 0.0) >= min_ram_kib
        and (profile.flash_kib is None or profile.flash_kib >= min_flash_kib)
    )
