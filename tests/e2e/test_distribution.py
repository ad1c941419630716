"""Recovery shared by several devices or machines: the same losses as alone, and as small an artefact."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.one_of_several import prepare

SCRIPT = Path(__file__).with_name("one_of_several.py")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a build on one device, with what it learned."""
    folder = tmp_path_factory.mktemp("alone")
    prepare(folder)
    return folder, wait_for(start("alone", folder / "out"))


def start(kind, output, *, tf_config=None):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    if tf_config is not None:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), kind, str(output)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process):
    said, complained = process.communicate(timeout=300)
    assert process.returncode == 0, complained[-2000:]
    return json.loads(said.partition("RESULT ")[2])


def size_of(output):
    return (output / "model.tflite").stat().st_size


def test_two_devices_learn_what_one_does(alone):
    folder, expected = alone
    found = wait_for(start("mirrored", folder / "mirrored"))
    assert found["replicas"] == 2
    assert found["losses"] == pytest.approx(expected["losses"], abs=1e-4)
    assert size_of(folder / "mirrored") == size_of(folder / "out")


def test_two_workers_learn_what_one_machine_does_and_the_first_writes(alone):
    folder, expected = alone
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    workers = [
        start(
            "multiworker",
            folder / f"worker-{index}",
            tf_config={"cluster": cluster, "task": {"type": "worker", "index": index}},
        )
        for index in (1, 0)
    ]
    for found in map(wait_for, workers):
        assert found["replicas"] == 2
        assert found["losses"] == pytest.approx(expected["losses"], abs=1e-4)
    assert size_of(folder / "worker-0") == size_of(folder / "out")
    assert not list(folder.glob("worker-1*"))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
