from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgeprune.tables import parse_table, read_toml, ruled


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    size: float = ruled(above=0)
    kind: Literal["front", "rear"] = "front"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cart:
    name: str
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None
    load: int = ruled(low=0, high=10, default=1)
    open: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


def errors_of(table):
    return [str(error) for error in parse_table(table, Cart)[1]]


def test_nested_tables_become_dataclasses():
    cart, errors = parse_table(
        {"name": "a", "wheels": [{"size": 1}, {"size": 2.5, "kind": "rear"}], "notes": {"k": "v"}}, Cart
    )
    assert errors == []
    assert cart == Cart(name="a", wheels=(Wheel(size=1.0), Wheel(size=2.5, kind="rear")), notes={"k": "v"})


def test_every_error_is_found_in_one_pass():
    table = {"nam": "a", "wheels": [{"size": 0}, {"size": 1, "kind": "reer"}], "load": 11, "open": 1}
    assert errors_of(table) == [
        "nam: is not a known key; did you mean 'name'?",
        "name: is missing; it takes text",
        "wheels[0].size: is 0; it takes a number above 0",
        "wheels[1].kind: is 'reer'; did you mean 'rear'?",
        "load: is 11; it takes a number at least 0 and at most 10",
        "open: is 1; it takes true or false",
    ]


def test_true_is_not_a_number():
    assert errors_of({"name": "a", "load": True}) == ["load: is true; it takes a whole number"]


def test_a_table_is_not_a_list():
    assert errors_of({"name": "a", "wheels": {"size": 1}}) == [
        "wheels: is a table; it takes a list, each a table"
    ]


def test_an_unreadable_file_is_one_error(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("a = \n", encoding="utf-8")
    assert "is not TOML" in str(read_toml(path)[1][0])
    assert "cannot be read" in str(read_toml(tmp_path / "y.toml")[1][0])
