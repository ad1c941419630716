import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Union

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    count: int = 0
    size: float = 0.0
    counts: tuple[int, ...] = ()
    sizes: tuple[float, ...] = ()
    more: int | None = None
    wider: float | None = None
    named: Mapping[str, float] = field(default_factory=dict)
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("field_name", "wrap", "key", "wanted"),
    [
        ("count", lambda v: v, "count", "a whole number"),
        ("size", lambda v: v, "size", "a number"),
        ("counts", lambda v: [1, v], "counts[1]", "a whole number"),
        ("sizes", lambda v: [v, 1.5], "sizes[0]", "a number"),
        ("more", lambda v: v, "more", "a whole number"),
        ("wider", lambda v: v, "wider", "a number"),
        ("named", lambda v: {"conv": v}, "named.conv", "a number"),
        ("lists", lambda v: {"conv": [v]}, "lists.conv[0]", "a whole number"),
    ],
)
def test_true_and_false_are_no_numbers_wherever_a_number_stands(field_name, wrap, key, wanted, value):
    found, errors = parse_table({field_name: wrap(value)}, Numbers)
    assert found is None
    assert [str(error) for error in errors] == [f"{key}: is {str(value).lower()}; it takes {wanted}"]


def test_a_whole_number_is_a_number_but_not_the_other_way_round():
    found, errors = parse_table({"size": 2, "sizes": [1, 2.5], "wider": 3, "named": {"conv": 4}}, Numbers)
    assert errors == []
    assert [type(v) for v in (found.size, *found.sizes, found.wider, found.named["conv"])] == [float] * 5
    assert [str(error) for error in parse_table({"count": 2.0, "counts": [1, 2.5]}, Numbers)[1]] == [
        "count: is 2.0; it takes a whole number",
        "counts[1]: is 2.5; it takes a whole number",
    ]


def test_whole_numbers_of_64_bits_end_where_toml_says():
    found, errors = parse_table({"counts": [2**63 - 1, -(2**63)]}, Numbers)
    assert errors == []
    assert found.counts == (2**63 - 1, -(2**63))
    assert [error.key for error in parse_table({"counts": [2**63, -(2**63) - 1]}, Numbers)[1]] == [
        "counts[0]",
        "counts[1]",
    ]


def test_numbers_may_be_at_the_ends_that_low_and_high_name_and_not_at_the_one_they_must_be_above():
    assert errors_of({"name": "a", "load": 0}) == []
    assert errors_of({"name": "a", "load": 10}) == []
    assert errors_of({"name": "a", "load": -1}) == [
        "load: is -1; it takes a number at least 0 and at most 10"
    ]
    assert errors_of({"name": "a", "spare": {"size": 1e-9}}) == []
    assert errors_of({"name": "a", "spare": {"size": 0.0}}) == ["spare.size: is 0; it takes a number above 0"]


def test_what_may_be_absent_is_asked_for_by_what_it_takes():
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Box:
        first: Union[None, int]  # noqa: UP007, RUF036 (in this order on purpose)
        second: tuple[float, ...] | None
        third: Mapping[str, float]

    assert [str(error) for error in parse_table({"third": 3}, Box)[1]] == [
        "first: is missing; it takes a whole number",
        "second: is missing; it takes a list, each a number",
        "third: is 3; it takes a table",
    ]


def test_a_large_whole_number_is_shown_with_all_its_digits():
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Place:
        address: int = ruled(low=0, high=(1 << 32) - 1)

    assert [str(error) for error in parse_table({"address": 1 << 32}, Place)[1]] == [
        "address: is 4294967296; it takes a number at least 0 and at most 4294967295"
    ]


def test_a_file_in_another_encoding_is_told_from_one_that_is_no_toml(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes('name = "Gerät"'.encode("latin-1"))
    assert str(read_toml(path)[1][0]) == "is not a text file in UTF-8"
