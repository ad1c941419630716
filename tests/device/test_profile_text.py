import tomllib

import pytest

from edgeprune.device.profile_text import format_table, replace_table

TEXT = """# A comment.
id = "mine"

[latency]
by = "none"
source = "nobody measured"

[latency.cycles_by_kind]
conv = 1.0

[costs]
stack_bytes = 1
"""


def test_a_table_is_replaced_with_its_sub_tables_and_nothing_else():
    text = replace_table(TEXT, "latency", {"by": "macs", "ms_per_mac": 1.23456e-8, "table": ""})
    assert text.startswith("# A comment.\n")
    assert tomllib.loads(text) == {
        "id": "mine",
        "latency": {"by": "macs", "ms_per_mac": 1.235e-8},
        "costs": {"stack_bytes": 1},
    }


def test_a_table_that_is_not_there_is_added():
    text = replace_table('id = "mine"', "latency", {"by": "none"})
    assert tomllib.loads(text) == {"id": "mine", "latency": {"by": "none"}}


def test_what_is_written_reads_back():
    values = {
        "text": 'a "quoted" line, naïve',
        "whole": 3,
        "number": 0.5,
        "paces": {"conv": 1.5, "other": 2.0},
    }
    assert tomllib.loads(format_table("t", values)) == {"t": values}


def test_a_comment_that_belongs_to_the_next_table_stays():
    text = replace_table("[t]\na = 1  # mine\n\n# Of u.\n[u]\nb = 2\n", "t", {"a": 3})
    assert text == "[t]\na = 3\n\n# Of u.\n[u]\nb = 2\n"


@pytest.mark.parametrize("text", ["[t]\na = 1\n[t]\na = 2\n", "t = { a = 1 }\n", "t.a = 1\n"])
def test_a_table_that_cannot_be_told_from_the_rest_is_refused(text):
    with pytest.raises(ValueError, match=r"2 times|[Cc]annot"):
        replace_table(text, "t", {"a": 3})
