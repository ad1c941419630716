"""The cases of `../shared/cases/keras` do what their first lines say should hold; each trains a model."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from shared_cases import SHARED_CASES

CASES = SHARED_CASES / "keras"
ROOT = Path(__file__).parents[2]
NEVER = ("Traceback", "exit 70", "this is a bug in edgeprune", "LITE FAILED", "MLIR")
"""What no case may print."""
OF_A_RUNTIME = ("Traceback", "LITE FAILED")
"""Of these what a case prints where tflite-runtime fails on a file."""


@dataclass(frozen=True, kw_only=True)
class Holds:
    """What a case prints, as patterns; `codes` are the exit codes of its first commands, in order.

    A case runs files in tflite-runtime 2.14 where that is installed. It may fail on them if the command has
    said `runs_elsewhere`.
    """

    says: tuple[str, ...] = ()
    runs_elsewhere: str = ""
    never: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()


EXPECTED: dict[str, Holds] = {
    "augment_layers": Holds(says=(r"float max diff \d(\.\d+)?e-0[678]",)),
    "bigru": Holds(says=(r"float: max diff \d(\.\d+)?e-0[678]", "equals the masked one")),
    "cat_twice": Holds(says=("equals the masked one", r"b3 \(3, 3, 60, 16\) -> \(3, 3, 30, 8\)"), codes=(0,)),
    "custom_loss": Holds(
        says=("--custom file.py:wbce", "--custom file.py:Tversky"), codes=(3, 0, 3, 0, 0, 0, 3, 0)
    ),
    "dense_reshape_deconv": Holds(says=("equals the masked one",)),
    "div_int8": Holds(
        says=("edgeprune convert gap.keras", "TensorFlow's LiteRT cannot run DIV|exit 0"),
        runs_elsewhere="the file runs in ai-edge-litert .*, and not in tflite-runtime",
    ),
    "espcn": Holds(says=(r"\(None, None, None, 1\)",), never=("PRUNED MODEL REFUSES",)),
    "frozen_min": Holds(says=("every layer is frozen",), codes=(3,)),
    "genlen": Holds(
        says=(r"give --steps-per-epoch|endless, 60 s limit\n[13] ",), codes=(0, 0, 0, 0, 0, 3, 0, 0, 3, 0)
    ),
    "lora_zeros": Holds(says=("d1 zeros in the computed kernel 0.625",), codes=(0, 0, 0)),
    "lstm_state": Holds(says=(r"mentioned: \['reset', 'state'\]",), codes=(0,)),
    "masking_min": Holds(says=(r"input covers -1[0-9.]+ to",), codes=(0, 0)),
    "mixed": Holds(
        says=(
            r"int8 acc (1\.0|0\.9)",
            "equals the masked one",
            r"built int8 acc (1\.0|0\.[89])|no pruned model meets the budgets",
        )
    ),
    "mixed_min": Holds(says=(r"max diff \d(\.\d+)?e-0[4-8]",), codes=(0,) * 16),
    "multi_input": Holds(says=(r"int8 in Keras order: mae to labels 0\.1[01]",)),
    "multi_output": Holds(says=(r"0 \(50, 3\) -> \(50, 3\) rel diff 1\.\d+e-07",)),
    "names": Holds(never=("exit 3",)),
    "pydataset_min": Holds(codes=(0,)),
    "qkv": Holds(says=(r"float rel \d\.\d+e-0[678]", "equals the masked one"), codes=(0, 0, 0)),
    "smoke": Holds(
        says=("features span less than 4 of the 256 steps", "The file gives one answer"), codes=(1,)
    ),
    "spectral": Holds(says=("equals the masked one",), never=("exit [1347]",)),
    "split_partial": Holds(says=("equals the masked one",)),
    "tcn": Holds(says=(r"float max diff \d\.\d+e-0[678]", "equals the masked one")),
    "tfmot_files": Holds(says=("save the float model from before quantize_model", r"zeros 0\.8001")),
    "uint8_in": Holds(says=("uint8 inputs, int8 outputs", r"built acc (0\.[5-9]|1)")),
    "unet_void": Holds(says=(r"built: acc on valid (1\.0|0\.9)",), codes=(0, 3)),
}


def test_every_case_is_expected_to_do_something() -> None:
    if not CASES.exists():
        pytest.skip("../shared/cases is not beside this checkout")
    assert {path.stem for path in CASES.glob("[!_]*.py")} == set(EXPECTED)


@pytest.mark.nightly
@pytest.mark.parametrize("name", EXPECTED)
def test_a_case_holds(name: str, tmp_path: Path) -> None:
    case = CASES / f"{name}.py"
    command = Path(sys.executable).with_name("edgeprune")
    if not case.exists():
        pytest.skip("../shared/cases is not beside this checkout")
    if not command.exists():
        found = shutil.which("edgeprune")
        if found is None:
            pytest.skip("the command edgeprune is not installed")
        command = Path(found)
    own = {"PYTHONPATH": str(ROOT), "EDGEPRUNE": str(command), "WORK": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, case.name],
        cwd=case.parent,
        env={**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=3600,
        check=False,
    )
    said, holds = run.stdout, EXPECTED[name]
    assert run.returncode == 0, said[-2000:]
    for pattern in holds.says:
        assert re.search(pattern, said), pattern
    excused = OF_A_RUNTIME if holds.runs_elsewhere and re.search(holds.runs_elsewhere, said) else ()
    for pattern in (*(pattern for pattern in NEVER if pattern not in excused), *holds.never):
        assert not re.search(pattern, said), pattern
    codes = tuple(int(code) for code in re.findall(r"^exit (\d+) in", said, re.MULTILINE))
    assert codes[: len(holds.codes)] == holds.codes
