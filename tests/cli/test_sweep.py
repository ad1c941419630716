"""`sweep` and `front` on the command line; what runs on Ray is in tests/sweeps."""

import json

import pytest

from tests.sweeps.test_front import reference, row


@pytest.fixture
def folder(tmp_path):
    rows = [
        reference(0.9),
        row(10, accuracy=0.85),
        row(20, accuracy=0.895),
        row(30, accuracy=0.8, fits=False),
    ]
    (tmp_path / "trial.json").write_text(json.dumps({"rows": [found.to_json() for found in rows]}))
    return tmp_path


def test_front_says_what_to_take_and_writes_the_page(edgeprune, folder):
    ended = edgeprune("front", folder)
    assert ended.code == 0
    assert "take latency 20 ms (20 ms); it loses 0.0050 (one seed)" in " ".join(ended.out.split())
    assert (folder / "sweep.html").is_file()
    document = edgeprune("front", folder, "--json").document
    assert document["ok"]
    assert len(document["rows"]) == 4


def test_front_of_builds_that_do_not_fit_is_a_no(edgeprune, tmp_path):
    rows = [row(10, accuracy=0.85, fits=False, dense_accuracy=0.9)]
    (tmp_path / "trial.json").write_text(json.dumps({"rows": [found.to_json() for found in rows]}))
    assert edgeprune("front", tmp_path, "-o", tmp_path / "out").code == 1
    assert (tmp_path / "out" / "sweep.json").is_file()


def test_front_of_nothing_ends_in_3(edgeprune, tmp_path):
    assert edgeprune("front", tmp_path / "none").code == 3
    assert edgeprune("front", tmp_path).code == 3
    assert edgeprune("front").code == 2


def test_sweep_without_ray_ends_in_4_with_the_way_to_get_it(edgeprune, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeprune.sweeps.tuning.find_spec", lambda name: None)
    ended = edgeprune("sweep", "--device", "cortex-m7", "--storage", tmp_path / "s")
    assert ended.code == 4
    assert "pip install 'edgeprune[sweep]'" in ended.err
    assert not (tmp_path / "s").exists()


def test_sweep_refuses_what_cannot_be(edgeprune, tmp_path):
    assert edgeprune("sweep", "--device", "cortex-m7", "--latency-ms", "10;20").code == 2
    assert edgeprune("sweep").code == 3
    plan = tmp_path / "plan.toml"
    plan.write_text("latency = [10]\n")
    ended = edgeprune("sweep", plan)
    assert ended.code == 3
    assert "did you mean 'latency_ms'?" in ended.err
