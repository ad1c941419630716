from edgeprune.terminal.tables import Column, format_table, measure_width, printable, wrap

NAME, NUMBER = Column(heading="name", wrap=True), Column(heading="n", align="right")


def test_numbers_stand_on_the_right_under_their_heading():
    assert format_table((NAME, NUMBER), [["a", "1"], ["bcdef", "200"]]) == (
        "name     n\n-----  ---\na        1\nbcdef  200"
    )


def test_a_long_cell_is_wrapped_so_that_the_page_is_80_columns_wide():
    lines = format_table((NUMBER, NAME), [["1", "word " * 60]]).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 5
    assert sum(line.count("word") for line in lines) == 60


def test_a_cell_without_spaces_is_broken_anywhere():
    lines = format_table((NAME, NUMBER), [["x" * 200, "1"]]).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("x") for line in lines) == 200


def test_wide_characters_count_twice_and_combining_marks_not_at_all():
    assert measure_width("畳み込み") == 8
    assert measure_width("e\u0301") == 1
    lines = format_table((NAME, NUMBER), [["畳" * 100, "1"]]).splitlines()
    assert max(map(measure_width, lines)) <= 80


def test_control_characters_are_shown_as_escapes():
    assert printable("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert "\x1b" not in format_table((NAME,), [["\x1b[2J"]])


def test_a_paragraph_is_wrapped_and_indented():
    lines = wrap("flash: " + "word " * 40, indent="  ").splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])
    assert wrap("") == ""
