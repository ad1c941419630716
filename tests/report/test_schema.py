import json

import numpy as np
import pytest

from edgeprune.errors import InputError
from edgeprune.report.schema import Report, format_json
from tests.report_sample import make_report


def test_a_report_survives_the_way_through_json():
    report = make_report()
    read = Report.from_json(json.loads(format_json(report.to_json())))
    assert read.to_json() == report.to_json()
    assert format_json(read.to_json()) == format_json(report.to_json())


def test_the_document_has_exactly_the_keys_it_promises():
    promised = """
        schema edgeprune model device data task settings budgets verdict sentence checks dense pruned
        provenance plans trials steps layers frozen equivalence sparsity quantization agreement engine ops
        seed versions answers samples memory deployment
    """
    assert list(make_report().to_json()) == promised.split()


def test_a_report_of_before_these_parts_is_still_read():
    later = ("answers", "samples", "memory", "deployment", "trials")
    document = {key: value for key, value in make_report().to_json().items() if key not in later}
    assert Report.from_json(document).answers is None


@pytest.mark.parametrize("change", [{"schema": 2}, {"schema": None}, {"colour": "red"}])
def test_a_document_of_another_kind_is_refused(change):
    with pytest.raises(InputError):
        Report.from_json({**make_report().to_json(), **change})


def test_a_document_that_lacks_a_key_is_refused_by_the_keys_name():
    document = make_report().to_json()
    del document["steps"]
    with pytest.raises(InputError, match="'steps' is missing"):
        Report.from_json(document)


def test_what_is_not_finite_becomes_null_and_numpys_numbers_become_pythons():
    dense = {"accuracy": float("nan"), "params": np.int64(3), "latency_ms": np.float32(0.5), "macs": np.inf}
    document = make_report(dense=dense).to_json()
    assert document["dense"] == {"accuracy": None, "params": 3, "latency_ms": 0.5, "macs": None}
    json.loads(format_json(document), parse_constant=pytest.fail)


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(TypeError, match="ndarray"):
        make_report(dense={"accuracy": np.zeros(2)}).to_json()


def test_a_name_that_is_not_valid_unicode_can_be_written():
    model = {"name": "m\udcff", "source": "m\udcff.h5", "sha256": ""}
    text = format_json(make_report(model=model).to_json())
    assert text.encode("utf-8")
    assert json.loads(text)["model"] == model
