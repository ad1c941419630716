import math

import pytest

from edgeprune.units import format_quantity, format_ratio, format_setting, format_signed


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (512, "bytes", "512 B"),
        (262144, "bytes", "256 KiB"),
        (98496, "bytes", "96.2 KiB"),
        (3 * 1024**2, "bytes", "3 MiB"),
        (124.13, "ms", "124.1 ms"),
        (0.0004, "ms", "0.0004 ms"),
        (9999, "", "9999"),
        (12501632, "", "12.5 M"),
        (43838406.41, "", "43.84 M"),
        (0.02, "", "0.0200"),
        (1.0, "", "1"),
        (0, "", "0"),
        (2, "steps", "2 steps"),
        (None, "ms", "–"),
        (math.nan, "bytes", "–"),
        (math.inf, "ms", "–"),
    ],
)
def test_a_number_is_about_four_digits_long(value, unit, text):
    assert format_quantity(value, unit) == text


def test_differences_show_their_sign():
    assert format_signed(1024, "bytes") == "+1 KiB"
    assert format_signed(-0.4, "ms") == "−0.4 ms"
    assert format_signed(-4e-5, "ms") == "−4e-05 ms"
    assert format_signed(0, "") == "0"
    assert format_signed(None, "") == "–"


def test_a_ratio_of_nothing_is_nothing():
    assert format_ratio(1, 4) == "0.25×"
    assert format_ratio(1, 0) == format_ratio(1, None) == format_ratio(None, 1) == "–"


def test_a_setting_has_three_digits_where_it_was_drawn():
    assert format_setting(("learning_rate", 0.0012520653814999472)) == "learning_rate 0.00125"
    assert format_setting(("criterion", "l2")) == "criterion l2"
    assert format_setting(("min_channels", 8)) == "min_channels 8"
