"""C sources and a small program around them, linked for an emulated board or for this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeprune.files import writing
from edgeprune.firmware.c.boards import EmulatedBoard
from edgeprune.firmware.c.calls import name_ends
from edgeprune.firmware.c.engine import Engine
from edgeprune.firmware.c.layer import C_TYPES, Optimize, render
from edgeprune.firmware.c.layout import lay_out_board, place_weights
from edgeprune.firmware.c.program import Step
from edgeprune.firmware.c.toolchain import (
    WARNINGS,
    ImageSizes,
    compile_sources,
    link,
    read_sizes,
    run_tool,
)
from edgeprune.tflite.model import Tensor


def build_image(
    engine: Engine,
    *,
    directory: Path,
    board: EmulatedBoard,
    optimize: Optimize = "speed",
    defines: Sequence[str] = (),
) -> tuple[Path, ImageSizes]:
    """An ELF that runs samples in the emulator, and its sizes.

    Args:
        engine: the C sources.
        directory: where the ELF and its objects go.
        board: what to link for.
        optimize: what the compiler is told to save.
        defines: macros of the compiler, "NAME=value" each.

    Raises:
        ToolMissingError: `arm-none-eabi-gcc` is not installed.
        ToolFailedError: it failed, for example because the image does not fit the board.
    """
    ends = name_ends(engine.program.model)
    values = {
        "machine": board.machine,
        "code_origin": f"{board.code[0]:#010x}",
        "code_length": f"{board.code[1]}K",
        "data_origin": f"{board.data[0]:#010x}",
        "data_length": f"{board.data[1]}K",
        **place_weights(lay_out_board(board), region="weights", flash="code"),
        "buffers": _define_buffers(ends),
        "arguments": ", ".join(ends),
        "reset_once": _call_reset(engine, once=True),
        "reset": _call_reset(engine, once=False),
        "reads": " ||\n            ".join(
            f"(move_bytes(READ, input_file, {name}, sizeof {name}) != 0)" for name in _name_reads(ends)
        ),
        "writes": "\n".join(
            f"        (void)move_bytes(WRITE, output_file, {name}, sizeof {name});"
            for name in ends
            if name.startswith("output")
        ),
    }
    elf = directory / "image.elf"
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        runner = render("board/runner.c", **values).replace("edgeprune_model_", f"edgeprune_{engine.name}_")
        (directory / "runner.c").write_text(runner, "utf-8")
        (directory / "image.ld").write_text(render("board/image.ld", **values), "utf-8")
    sources = [*(path for path in engine.files if path.suffix == ".c"), directory / "runner.c"]
    objects = compile_sources(
        sources,
        directory=directory,
        board=board,
        optimize=optimize,
        includes=[engine.files[0].parent],
        defines=defines,
    )
    link(objects, script=directory / "image.ld", output=elf, board=board)
    return elf, read_sizes(elf)


def build_marked_image(
    engine: Engine, *, directory: Path, board: EmulatedBoard, optimize: Optimize
) -> tuple[Path, list[Step]]:
    """An ELF that tells where each op begins, and those ops; what is only another name is none.

    Args and errors are those of `build_image`.
    """
    steps = [step for step in engine.program.steps if not step.layer.is_alias]
    elf, _ = build_image(
        engine,
        directory=directory,
        board=board,
        optimize=optimize,
        defines=[f"EDGEPRUNE_COUNT_LAYERS={len(steps)}"],
    )
    return elf, steps


def build_host_program(engine: Engine, *, directory: Path, flags: Sequence[str] = ()) -> Path:
    """A program for this machine that reads inputs of samples from stdin and writes outputs to stdout.

    Args:
        engine: the C sources.
        directory: where it goes.
        flags: further options of the compiler, for example `-fsanitize=address,undefined`.

    Raises:
        ToolMissingError: `gcc` is not installed.
        ToolFailedError: it failed.
    """
    ends = name_ends(engine.program.model)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        source = render(
            "board/host.c",
            invoke=f"edgeprune_{engine.name}_invoke",
            buffers=_define_buffers(ends),
            arguments=", ".join(ends),
            reset_once=_call_reset(engine, once=True),
            reset=_call_reset(engine, once=False),
            reads=" &&\n           ".join(
                f"(fread({name}, sizeof {name}, 1, stdin) == 1)" for name in _name_reads(ends)
            ),
            writes="\n".join(
                f"        (void)fwrite({name}, sizeof {name}, 1, stdout);"
                for name in ends
                if name.startswith("output")
            ),
        )
        (directory / "host.c").write_text(source, "utf-8")
    program = directory / "host"
    sources = [str(path) for path in engine.files if path.suffix == ".c"]
    include = f"-I{engine.files[0].parent}"
    compile_host = ("gcc", "-O1", *WARNINGS, *flags, include, *sources, str(directory / "host.c"))
    run_tool(*compile_host, "-o", str(program), "-lm")
    return program


def _define_buffers(ends: Mapping[str, Tensor]) -> str:
    """Inputs and outputs, and the byte that stands for a sample of a model without inputs."""
    lines = [f"static {C_TYPES[tensor.dtype]} {name}[{tensor.elements}];" for name, tensor in ends.items()]
    return "\n".join([*lines, *(["static uint8_t nothing[1];"] if "nothing" in _name_reads(ends) else [])])


def _name_reads(ends: Mapping[str, Tensor]) -> list[str]:
    """The buffers that a sample fills: the inputs, or a byte where there are none."""
    return [name for name in ends if name.startswith("input")] or ["nothing"]


def _call_reset(engine: Engine, *, once: bool) -> str:
    """Samples are unrelated, so each starts from nothing; but variables of resources go on, as in TFLM."""
    program = engine.program
    call = f"edgeprune_{engine.name}_reset();\n" + " " * (4 if once else 8)
    return call if program.state and program.model.has_resources == once else ""
