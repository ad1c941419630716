"""`edgeprune bench` and `edgeprune devices calibrate`, without a board."""

from small_models import dense_int8


def test_a_board_needs_a_port(edgeprune, tmp_path):
    ended = edgeprune("bench", tmp_path / "m.tflite", "--device", "cortex-m7", "--on", "board")
    assert ended.code == 2
    assert "--port" in ended.err


def test_a_time_of_this_machine_is_not_one_of_a_microcontroller(edgeprune, tmp_path):
    (tmp_path / "m.tflite").write_bytes(dense_int8())
    asked = ("--device", "cortex-m7", "--on", "host", "--runs", "3", "-o", tmp_path / "r.json")
    ended = edgeprune("bench", tmp_path / "m.tflite", *asked)
    assert ended.code == 0
    assert "does not measure cortex-m7" in ended.err
    refused = edgeprune("devices", "calibrate", "cortex-m7", tmp_path / "r.json", "-o", tmp_path / "p.toml")
    assert refused.code == 3
    assert "--on board" in refused.err
    assert not (tmp_path / "p.toml").exists()
