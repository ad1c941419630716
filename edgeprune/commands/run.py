"""`edgeprune run`: a `.tflite` file compiled by the C engine and run, every output compared with TFLM's."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from edgeprune.build.project_source import find_budgets, find_device, find_file
from edgeprune.device.check import narrow_profile, resolve_budgets
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import ToolMissingError
from edgeprune.files import read_file
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import Engine, write_engine
from edgeprune.firmware.c.graph import CLOSE, require_compilable
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.firmware.c.layer import Optimize
from edgeprune.firmware.c.layer_counts import LayerCount, count_layers
from edgeprune.firmware.c.room import find_room
from edgeprune.measuring.runtime import choose_runtime
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.samples import Array, Outputs
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model

Target = Literal["qemu", "host"]

_NOT_COUNTED = "programs for this machine are not counted; run it --on qemu"
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineRun:
    """What `edgeprune run` found.

    Attributes:
        file: the `.tflite` file.
        profile: the device.
        target: where it ran.
        samples: how many were run.
        differing: elements of all outputs that are not what TFLM's reference kernels give; None where TFLM is
            not installed here.
        figures: instructions, flash_bytes, code_bytes, ram_bytes, arena_bytes, stack_bytes.
        layers: what each op takes; none where nothing is counted.
        unavailable: why nothing was compared, "" where it was.
    """

    file: Path
    profile: Profile
    target: Target
    samples: int
    differing: int | None
    figures: Mapping[str, Figure]
    layers: tuple[LayerCount, ...] = ()
    unavailable: str = ""

    @property
    def bit_exact(self) -> bool | None:
        """Whether every element of every output is the same; None where nothing was compared."""
        return None if self.differing is None else self.differing == 0

    @property
    def sentence(self) -> str:
        """The verdict."""
        if self.differing is None:
            return f"{self.samples} samples ran; their outputs were not compared: {self.unavailable}"
        if self.bit_exact:
            return f"PASS: {self.samples} samples, every output as TFLM's reference kernels compute it."
        return (
            f"FAIL: {self.differing} output elements of {self.samples} samples differ from TFLM's reference "
            "kernels; please report this as a bug in edgeprune."
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `run --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "device": self.profile.id,
            "on": self.target,
            "samples": self.samples,
            "bit_exact": self.bit_exact,
            "differing": self.differing,
            "unavailable": self.unavailable,
            **{name: figure.value for name, figure in self.figures.items()},
            "provenance": {name: figure.to_json() for name, figure in self.figures.items()},
            "per_layer": [asdict(layer) for layer in self.layers],
            "sentence": self.sentence,
        }


def run_engine(
    path: Path,
    *,
    device: str | None = None,
    target: Target = "qemu",
    samples: int = 10,
    optimize: Optimize = "speed",
) -> EngineRun:
    """Compile a file, run it on random samples and compare each output with TFLM's reference kernels.

    Args:
        path: a `.tflite` file, the output directory of a build, or a project of the C engine.
        device: a profile's id or file; None for what the directory was made for.
        target: "qemu" for the device's core, "host" for this machine with gcc's sanitizers.
        samples: how many.
        optimize: what choices between kernels go by.

    Raises:
        ModelError: the file cannot be read.
        OpError: the C engine lacks an op.
        RecipeError: no device is given, or the C engine does not run on it.
        UnknownNameError: there is no such device.
        ToolError: a compiler or the emulator is missing or failed.
    """
    file = find_file(path)
    tflite = read_file(file)
    profile = choose_runtime(load_profile(device or find_device(path)), "c")
    if device is None:
        profile = narrow_profile(profile, resolve_budgets(profile, asked=find_budgets(path)))
    model = read_model(tflite, where=str(file))
    require_compilable(model)
    inputs = draw_inputs(model, samples=samples, seed=0)
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        engine = write_engine(
            tflite, directory=root, core=profile.core, optimize=optimize, room=find_room(profile)
        )
        layers: tuple[LayerCount, ...] = ()
        if target == "qemu":
            outputs, figures = _run_in_qemu(engine, inputs, root=root, core=profile.core, optimize=optimize)
            layers = count_layers(
                engine,
                inputs,
                directory=root / "counted",
                board=find_board(profile.core),
                optimize=optimize,
            )
        else:
            program = build_host_program(engine, directory=root / "host", flags=_SANITIZERS)
            outputs, figures = run_host_program(program, inputs, model=model), _missing_figures()
    figures["arena_bytes"] = Figure(
        value=float(engine.program.plan.total_bytes),
        unit="bytes",
        source="simulated",
        evidence="the arena of the generated sources, without inputs and outputs",
    )
    differing = None
    obstacle = next(
        (f"TFLM cannot run {op.op}: {op.reason}" for op in unsupported_ops(model, runtime="tflm")), ""
    )
    if not obstacle:
        try:
            expected = run_tflm(tflite, inputs).outputs
            differing = _count_differing(outputs, expected, is_rounded=engine.program.calls_library)
        except ToolMissingError as error:
            obstacle = error.message
    return EngineRun(
        file=file,
        profile=profile,
        target=target,
        samples=len(outputs[0]),
        differing=differing,
        figures=figures,
        layers=layers,
        unavailable=obstacle,
    )


def _count_differing(ours: Sequence[Array], theirs: Sequence[Outputs], *, is_rounded: bool) -> int:
    """Elements that are not the same; floats from a C library's functions are, where they are close."""
    count = 0
    for mine, other in zip(ours, theirs, strict=True):
        left, right = mine.reshape(-1), np.ascontiguousarray(other.raw).reshape(-1)
        if left.dtype == np.float32:
            within = CLOSE if is_rounded else 0.0
            same = np.isclose(left, right, rtol=within, atol=within, equal_nan=True)
        else:
            same = left == right
        count += int((~same).sum())
    return count


def _run_in_qemu(
    engine: Engine, inputs: tuple[Array, ...], *, root: Path, core: str, optimize: Optimize
) -> tuple[tuple[Array, ...], dict[str, Figure]]:
    board = find_board(core)
    elf, sizes = build_image(engine, directory=root / "image", board=board, optimize=optimize)
    run = run_image(elf, inputs, model=engine.program.model, board=board)
    count = f"counted in qemu ({board.machine}), the largest of {len(run.instructions)} samples"
    linked = f"read back from the ELF that ran, linked for {board.core}"
    stack = f"painted in qemu ({board.machine}): the deepest of one inference, from the call on"
    values = {
        "instructions": (max(run.instructions), "", count),
        "flash_bytes": (sizes.flash, "bytes", f"{linked}, with start-up and the program around the model"),
        "code_bytes": (sizes.code, "bytes", f"{linked}, without weights"),
        "ram_bytes": (
            sizes.ram + run.stack_bytes,
            "bytes",
            f"{linked}: arena, state, inputs and outputs ({sizes.ram}), and the stack",
        ),
        "stack_bytes": (run.stack_bytes, "bytes", stack),
    }
    return run.outputs, {
        name: Figure(value=float(value), unit=unit, source="simulated", evidence=evidence)
        for name, (value, unit, evidence) in values.items()
    }


def _missing_figures() -> dict[str, Figure]:
    units = {"instructions": ""} | dict.fromkeys(
        ("flash_bytes", "code_bytes", "ram_bytes", "stack_bytes"), "bytes"
    )
    return {
        name: Figure(value=None, unit=unit, source="unavailable", evidence=_NOT_COUNTED)
        for name, unit in units.items()
    }
