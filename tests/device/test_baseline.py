import pytest

from edgeprune.device.baseline import compare_with_baseline
from edgeprune.errors import RecipeError


def document(device="cortex-m7", *, ok=True, **figures):
    usual = {"tflite_bytes": 1000, "flash_bytes": 2000.0, "ram_bytes": 300.0, "latency_ms": 10.0}
    return {"device": device, "figures": usual | figures, "ok": ok}


def worse(now, before, tolerance=0.01):
    found = compare_with_baseline(now, before, baseline="old.json", tolerance=tolerance)
    assert found.ok is not bool(found.regressions)
    return [(change.device, change.figure) for change in found.regressions]


def test_the_same_file_is_no_regression_and_a_smaller_one_neither():
    assert worse(document(), document()) == []
    assert worse(document(latency_ms=5.0), document()) == []


def test_growth_beyond_the_tolerance_is_one_and_growth_up_to_it_is_none():
    assert worse(document(latency_ms=10.2), document()) == [("cortex-m7", "latency_ms")]
    assert worse(document(latency_ms=10.2), document(), tolerance=0.02) == []
    assert worse(document(flash_bytes=2001.0), document(), tolerance=0) == [("cortex-m7", "flash_bytes")]


def test_a_figure_that_is_no_longer_known_is_a_regression_and_a_new_one_is_none():
    assert worse(document(latency_ms=None), document()) == [("cortex-m7", "latency_ms")]
    assert worse(document(), document(latency_ms=None)) == []


def test_what_fitted_and_does_not_any_more_is_a_regression_whatever_the_tolerance():
    assert worse(document(ok=False), document(), tolerance=0.9) == [("cortex-m7", "verdict")]
    assert worse(document(), document(ok=False)) == []


def test_many_devices_are_compared_each_with_itself_and_new_ones_are_named():
    before = {"devices": [document("a"), document("b")]}
    now = {"devices": [document("b", ram_bytes=600.0), document("c")]}
    assert worse(now, before) == [("b", "ram_bytes")]
    found = compare_with_baseline(now, before, baseline="old.json", tolerance=0.01)
    assert found.added == ("c",)
    assert "not in it: c" in found.sentence


@pytest.mark.parametrize(
    "before",
    [{}, {"devices": 3}, {"devices": [{"device": "a"}]}, document(latency_ms="10"), document(ok="yes")],
)
def test_what_is_no_check_is_refused(before):
    with pytest.raises(RecipeError, match="no document of 'edgeprune check --json'"):
        compare_with_baseline(document(), before, baseline="old.json", tolerance=0.01)


def test_a_baseline_of_other_devices_is_refused():
    with pytest.raises(RecipeError, match="of other devices"):
        compare_with_baseline(document("a"), document("b"), baseline="old.json", tolerance=0.01)
