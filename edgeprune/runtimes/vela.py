"""Vela, the compiler for Ethos-U NPUs, run as the external tool it is.

What it makes of a `.tflite` file is again a `.tflite` file, in which one custom op stands for each stretch of
ops that the NPU executes. It also reports what the result takes of each memory and how many cycles of the NPU
it reckons with; `VelaResult` is that report. Vela decides what the NPU executes; its rules do not stand here.
"""

import csv
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeprune.children import ending_error
from edgeprune.errors import ModelError, ToolFailedError, ToolMissingError, ToolStoppedError
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model

PACKAGE = "ethos-u-vela"
ETHOS_U_OP = "CUSTOM:ethos-u"
"""The op that stands for what the NPU executes."""
CONFIG_FILE = "Arm/vela.ini"
"""Arm's own systems and memory modes, which come with Vela."""

_READ_ONLY_INPUT = 1  # after the command stream: see the layout in TFLM's kernels/ethos_u/ethosu.cc
_LEFT = re.compile(r"^Warning \(supported operators\) operator: (\w+), ofm: .*\nReason: (.+)$", re.MULTILINE)
_SAID_CHARACTERS = 600
_AREAS = {
    "SRAM": "sram_memory_used",
    "DRAM": "dram_memory_used",
    "On-chip Flash": "on_chip_flash_memory_used",
    "Off-chip Flash": "off_chip_flash_memory_used",
}
"""Memories of Vela's report by the name it gives them elsewhere in it: the column, in KiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VelaOp:
    """One row of Vela's report on layers.

    Attributes:
        op: what it was in the model, in Vela's spelling ("Conv2D").
        becomes: what Vela made of it; one op may become many.
        on_npu: False where it stays on the core; such rows cost no cycles here.
        cycles: of the NPU.
        macs: multiply-accumulates.
    """

    op: str
    becomes: str
    on_npu: bool
    cycles: int
    macs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuOp:
    """A kind of op that stays on the core: builtin name, how many, and Vela's reason ("" if it gave none)."""

    op: str
    count: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VelaResult:
    """What Vela made of a model, and what it reports of it.

    Attributes:
        tflite: the compiled file, which is what goes into flash.
        model: the same, read.
        version: Vela's.
        accelerator, system_config, memory_mode: what it compiled for.
        read_only_bytes: encoded weights, biases and tables that the NPU reads.
        commands_bytes: command streams of the NPU.
        weights_bytes: weights of the NPU's ops before encoding, padded as Vela needs them.
        encoded_weights_bytes: the same encoded, which is where zeros pay.
        memory_bytes: peak use of "SRAM", "DRAM", "On-chip Flash" and "Off-chip Flash".
        arena_bytes: activations in the memory that core and NPU share: the head of TFLM's arena.
        fast_scratch_bytes: SRAM that only the NPU uses beside it, in the modes with dedicated SRAM.
        cycles: of the NPU for one inference, by Vela's own model of it; ops on the core are not in it.
        inference_ms: the same at the clock of the system configuration.
        macs: multiply-accumulates that the NPU executes.
        ops: Vela's rows, in the order of execution.
        cpu_ops: what stays on the core.
    """

    tflite: bytes
    model: Model
    version: str
    accelerator: str
    system_config: str
    memory_mode: str
    read_only_bytes: int
    commands_bytes: int
    weights_bytes: int
    encoded_weights_bytes: int
    memory_bytes: Mapping[str, int]
    arena_bytes: int
    fast_scratch_bytes: int
    cycles: int
    inference_ms: float
    macs: int
    ops: tuple[VelaOp, ...]
    cpu_ops: tuple[CpuOp, ...]

    @property
    def describe(self) -> str:
        """Vela's version and what it compiled for, as evidence of a figure."""
        return f"Vela {self.version} for {self.accelerator}, {self.system_config}, {self.memory_mode}"


def run_vela(
    tflite: bytes,
    *,
    accelerator: str,
    system_config: str,
    memory_mode: str,
    timeout_seconds: float = 600.0,
) -> VelaResult:
    """The file compiled for an NPU, with Vela's own report of it (1 s for a small network).

    Args:
        tflite: a quantized `.tflite` file that has not been compiled yet.
        accelerator: for example "ethos-u55-128".
        system_config: ports and memories, as `Arm/vela.ini` names them.
        memory_mode: what lies where, likewise.
        timeout_seconds: for the whole run.

    Raises:
        ModelError: the file is damaged, or compiled already.
        ToolMissingError: Vela is not installed.
        ToolFailedError: Vela crashed, took too long, refused the model, or reports in a form we do not know.
    """
    model = read_model(tflite, where="the artefact")
    if any(op.name == ETHOS_U_OP for op in model.ops):
        raise ModelError(
            "has been compiled by Vela already",
            where=model.where,
            fix="give the file as it was before; edgeprune compiles it",
        )
    found = find_vela()
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        (root / "model.tflite").write_bytes(tflite)
        arguments = (
            "model.tflite",
            f"--config={CONFIG_FILE}",
            f"--accelerator-config={accelerator}",
            f"--system-config={system_config}",
            f"--memory-mode={memory_mode}",
            "--output-dir=out",
            "--verbose-performance",
        )
        said = _compile(arguments, root, timeout_seconds)
        compiled = _read_file(root / "out" / "model_vela.tflite", said)
        summary = _read_rows(root / "out", "model_summary_*.csv", said)
        layers = _read_rows(root / "out", "model_per-layer.csv", said)
    try:
        return _describe(
            compiled,
            summary=summary[0],
            layers=layers,
            said=said,
            vela=found,
            names=(accelerator, system_config, memory_mode),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise ToolFailedError(
            f"the report of Vela {found} has an unknown form",
            why=f"{type(error).__name__}: {error}",
            fix="install the version that edgeprune was made with: pip install 'edgeprune[ethos-u]'",
        ) from error


def find_vela() -> str:
    """The version that is installed. Raises ToolMissingError where there is none."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError as error:
        raise ToolMissingError(
            "Vela, the compiler for Ethos-U, is not installed", fix="pip install 'edgeprune[ethos-u]'"
        ) from error


def _compile(arguments: tuple[str, ...], root: Path, timeout_seconds: float) -> str:
    """Everything Vela wrote to stdout and stderr."""
    # -P keeps files of the working directory from being imported in place of packages.
    command = [sys.executable, "-P", "-m", "ethosu.vela", *arguments]
    try:
        ended = subprocess.run(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolStoppedError(f"Vela did not finish within {timeout_seconds:g} s") from error
    said = ended.stdout.decode(errors="replace")
    unknown = _UNREADABLE.search(said) if ended.returncode else None
    if unknown is not None:
        raise ToolFailedError(
            "Vela cannot read the file",
            why=f"it has no form of {unknown[1]}" if unknown[1] else "it does not say what it stumbles over",
            fix="leave resource variables and types other than integers and floats out of the model, or "
            "choose a device without an NPU",
        )
    if ended.returncode:
        raise ending_error("Vela", ended.returncode, why=_last_words(said))
    return said


_UNREADABLE = re.compile(
    r"(?:'(?P<what>[\w.]+)' Does not have valid TFLite Semantics.*?)?Failed to parse TFLite file", re.DOTALL
)


def _last_words(said: str) -> str:
    """The end of what Vela said, without the traceback that leads to it."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(" ")]
    return " ".join(lines[-2:]).replace("Traceback (most recent call last): ", "")[-_SAID_CHARACTERS:]


def _read_file(path: Path, said: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ToolFailedError("Vela ended without a result", why=_last_words(said)) from error


def _read_rows(folder: Path, pattern: str, said: str) -> list[dict[str, str]]:
    for path in folder.glob(pattern):
        text = _read_file(path, said).decode(errors="replace")
        return list(csv.DictReader(text.splitlines()))
    raise ToolFailedError("Vela ended without a report", why=_last_words(said))


def _describe(
    compiled: bytes,
    *,
    summary: Mapping[str, str],
    layers: list[dict[str, str]],
    said: str,
    vela: str,
    names: tuple[str, str, str],
) -> VelaResult:
    model = read_model(compiled, where="Vela's result")
    npu_ops = [op for op in model.ops if op.name == ETHOS_U_OP]
    read_only = sum(model.tensors[index].bytes for index in {op.inputs[_READ_ONLY_INPUT] for op in npu_ops})
    memory = {area: round(float(summary[column]) * 1024) for area, column in _AREAS.items()}
    activations, weights = summary["feature_map_storage_area"], summary["weights_storage_area"]
    accelerator, system_config, memory_mode = names
    return VelaResult(
        tflite=compiled,
        model=model,
        version=vela,
        accelerator=accelerator,
        system_config=system_config,
        memory_mode=memory_mode,
        read_only_bytes=read_only,
        commands_bytes=sum(model.tensors[op.inputs[0]].bytes for op in npu_ops),
        weights_bytes=int(summary["total_original_weights"]),
        encoded_weights_bytes=int(summary["total_npu_encoded_weights"]),
        memory_bytes=memory,
        # Vela adds both up where they lie in the same memory.
        arena_bytes=memory[activations] - (read_only if activations == weights else 0),
        fast_scratch_bytes=0 if activations == "SRAM" else memory["SRAM"],
        cycles=int(summary["cycles_total"]),
        inference_ms=float(summary["inference_time"]) * 1e3,
        macs=int(summary["nn_macs"]),
        ops=tuple(
            VelaOp(
                op=row["Original Operator"],
                becomes=row["NNG Operator"],
                on_npu=row["Target"] == "NPU",
                cycles=int(row["Op Cycles"]),
                macs=int(row["MAC Count"]),
            )
            for row in layers
        ),
        cpu_ops=_list_cpu_ops(model, said),
    )


def _list_cpu_ops(model: Model, said: str) -> tuple[CpuOp, ...]:
    """What the compiled file leaves to the core.

    Vela also warns of ops that it later folds away, so the file says which, and the warnings only why.
    """
    reasons: dict[str, dict[str, None]] = {}
    for op, reason in _LEFT.findall(said):
        reasons.setdefault(op, {})[reason.strip()] = None
    counts: dict[str, int] = {}
    for subgraph in model.subgraphs:
        for op in subgraph.ops:
            if op.name != ETHOS_U_OP:
                counts[op.name] = counts.get(op.name, 0) + 1
    return tuple(
        CpuOp(op=name, count=count, reason="; ".join(reasons.get(name, ()))) for name, count in counts.items()
    )
