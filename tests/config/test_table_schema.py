"""The JSON Schema that editors check profiles with: made by hand here, and held against every profile."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import jsonschema
import pytest

from edgeprune.config.table_schema import make_schema
from edgeprune.config.tables import ruled
from edgeprune.measuring.profiles import make_profile_schema

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "device_profiles").glob("*.toml"))
BROKEN = ROOT / "tests" / "device_profiles" / "broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A wheel.

    Attributes:
        inches, spokes: its diameter, which is measured
            across the tyre, and how many spokes it has.
    """

    inches: float = ruled(above=0)
    spokes: int = ruled(low=3, high=48, default=36)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bicycle:
    """A bicycle. Not a
    tricycle.

    Attributes:
        kind: what it is for.
        wheels: front, then rear.
    """

    kind: Literal["road", "city"]
    wheels: tuple[Wheel, ...] = ruled(items=1)
    bell: bool = True
    owner: str | None = None
    lamps: Mapping[str, float] = field(default_factory=dict)


def test_types_ranges_defaults_and_descriptions_come_from_the_dataclass():
    across = "its diameter, which is measured across the tyre, and how many spokes it has."
    assert make_schema(Bicycle, title="Bicycle") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Bicycle",
        "description": "A bicycle. Not a tricycle.",
        "type": "object",
        "properties": {
            "kind": {"description": "what it is for.", "enum": ["road", "city"]},
            "wheels": {
                "description": "front, then rear.",
                "type": "array",
                "items": {"$ref": "#/$defs/Wheel"},
                "minItems": 1,
            },
            "bell": {"type": "boolean", "default": True},
            "owner": {"type": "string"},
            "lamps": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["kind", "wheels"],
        "additionalProperties": False,
        "$defs": {
            "Wheel": {
                "description": "A wheel.",
                "type": "object",
                "properties": {
                    "inches": {"description": across, "type": "number", "exclusiveMinimum": 0},
                    "spokes": {
                        "description": across,
                        "type": "integer",
                        "minimum": 3,
                        "maximum": 48,
                        "default": 36,
                    },
                },
                "required": ["inches"],
                "additionalProperties": False,
            }
        },
    }


def test_the_committed_schema_is_current():
    committed = json.loads((ROOT / "device_profiles" / "schema.json").read_text(encoding="utf-8"))
    assert committed == make_profile_schema(), "run: edgeprune devices schema > device_profiles/schema.json"


def test_every_key_of_a_profile_is_described():
    schema = make_profile_schema()
    for table in (schema, *schema["$defs"].values()):
        assert all("description" in entry for entry in table["properties"].values())


@pytest.fixture(scope="module")
def validator():
    schema = make_profile_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_profile_names_the_schema_and_follows_it(path, validator):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ./schema.json\n")
    assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    "name",
    [
        "misspelt_key",
        "missing_clock",
        "text_for_a_number",
        "negative_memory",
        "unknown_runtime",
        "unknown_machine",
        "memory_that_holds_nothing",
        "address_as_text",
        "address_beyond_32_bits",
    ],
)
def test_what_an_editor_can_see_is_wrong_for_the_schema_too(name, validator):
    table = tomllib.loads((BROKEN / f"{name}.toml").read_text(encoding="utf-8"))
    assert not validator.is_valid(table)
