import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from edgeprune.config.tables import parse_table, read_toml, ruled


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


@pytest.mark.parametrize("text", ["a = 1" + "0" * 5000, "a = " + "[" * 20_000])
def test_a_value_of_absurd_length_or_depth_is_an_error_of_the_file(text, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    assert "is not TOML" in str(read_toml(path)[1][0])


def test_numbers_are_finite_and_have_64_bits_at_most():
    assert errors_of({"name": "a", "wheels": [{"size": math.inf}, {"size": 10**400}], "load": 2**63}) == [
        "wheels[0].size: is inf; it takes a number above 0",
        "wheels[1].size: is a whole number of more than 64 bits",
        "load: is a whole number of more than 64 bits",
    ]


def test_a_list_may_be_absent_but_not_shorter_than_its_rule():
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Shelf:
        books: tuple[str, ...] = ruled(items=1, default=())

    assert parse_table({}, Shelf)[1] == []
    assert parse_table({"books": ["Emma"]}, Shelf)[1] == []
    assert [str(error) for error in parse_table({"books": []}, Shelf)[1]] == [
        "books: has 0 values; it takes at least 1"
    ]
