"""Device profiles in the eyes of the runtimes they name: what is wrong with one, and the schema of all."""

from pathlib import Path
from typing import Any

from edgeprune.config.table_schema import make_schema
from edgeprune.config.tables import TableError
from edgeprune.device.profile import Profile, parse_profile
from edgeprune.measuring.backend import find_runtime_faults, list_runtime_names


def validate_profile(path: Path) -> list[TableError]:
    """Everything that is wrong with a profile, empty if nothing is."""
    profile, errors = parse_profile(path)
    return errors if profile is None else find_runtime_faults(profile)


def make_profile_schema() -> dict[str, Any]:
    """The JSON Schema of a profile, for editors; `device_profiles/schema.json` is this."""
    schema = make_schema(Profile, title="Device profile of edgeprune")
    name = schema["$defs"]["RuntimeChoice"]["properties"]["name"]
    del name["type"]
    name["enum"] = list(list_runtime_names())
    return schema
