"""What commands print, to the letter, as it was recorded before the house was rebuilt.

A file of `outputs/` holds the command, its exit code, what it wrote to stderr where it refused, and stdout.
Where an output changes on purpose, the changed file is part of the commit: `EDGEPRUNE_RECORD=1 pytest
tests/golden` writes them all anew.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import SHARED_MODELS

OUTPUTS = Path(__file__).with_name("outputs")
MODELS = {
    "kws_ref_model.tflite": "mlperf_tiny/keyword_spotting",
    "pretrainedResnet_quant.tflite": "mlperf_tiny/image_classification",
    "hello_world_int8.tflite": "tflm",
}
"""File that a command names → its folder under `../shared/models`."""
COMMAND = (sys.executable, "-c", "from edgeprune.cli.main import main; main()")


def run(arguments: list[str], folder: Path) -> str:
    """What stands in the file of a command, but for the command."""
    ended = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    refusal = ended.stderr if ended.returncode in (2, 3) else ""
    return f"exit {ended.returncode}\n{refusal}{ended.stdout}"


@pytest.mark.parametrize("file", sorted(OUTPUTS.glob("*.txt")), ids=lambda file: file.stem)
def test_a_command_prints_what_it_printed(file: Path, tmp_path: Path) -> None:
    line, expected = file.read_text(encoding="utf-8").split("\n", 1)
    arguments = line.removeprefix("$ edgeprune ").split()
    for name in (name for name in MODELS if name in arguments):
        model = SHARED_MODELS / MODELS[name] / name
        if not model.is_file():
            pytest.skip(f"../shared/models, with {name}, is not beside this checkout")
        shutil.copy(model, tmp_path)
    found = run(arguments, tmp_path)
    if os.environ.get("EDGEPRUNE_RECORD"):
        file.write_text(f"{line}\n{found}", encoding="utf-8")
    else:
        assert found == expected
