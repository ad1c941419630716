"""A project for a user's SDK, of TFLM as a whole: the model, a typed wrapper, a check on golden samples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from edgeprune.device.profile import Profile
from edgeprune.errors import OpError
from edgeprune.firmware.facts import describe_device, render_partitions
from edgeprune.firmware.golden import FittedGolden, render_golden
from edgeprune.firmware.kernel_sources import list_kernels
from edgeprune.firmware.rendering import fill_template, render_folder
from edgeprune.firmware.tflm import format_comment, one_line, render_tflm_package
from edgeprune.firmware.wrapper import render_wrapper
from edgeprune.tflite.decode.wire import OP_NAME as DECODE
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import kinds_used

_NODE_GROWTH_BYTES, _TENSOR_GROWTH_BYTES = 12, 32
"""What TfLiteNode and TfLiteTensor take more on a 32-bit core without TF_LITE_STATIC_MEMORY."""

_NOT_IN_PROJECTS = {
    "CUSTOM:ethos-u": "it needs the driver of the NPU",
    "VAR_HANDLE": "its variables live in memory that the application hands over",
}
"""Ops that need more than TFLM's kernels, and what that is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectKind:
    """One build system that a project can be for. Its own files are in `templates/project/<id>`.

    What they hold of a runtime alone is in `templates/runtimes/<runtime>/<id>`.

    Attributes:
        id: the name on the command line.
        sources: folder of the project that the application's files go to.
        tflm_is_missing: what the compiler says where TFLM's headers are not found.
        library_header: header that has to come first for the build system to find TFLM; "" for none.
        cc_suffix: how names of C++ sources end.
        static_memory: whether its TFLM is compiled with TF_LITE_STATIC_MEMORY; without, records are larger.
        tolerance_steps: largest difference from the reference kernels that its kernel library is allowed.
    """

    id: str
    sources: str
    tflm_is_missing: str
    library_header: str = ""
    cc_suffix: str = ".cc"
    static_memory: bool = True
    tolerance_steps: int = 0


_KINDS = (
    ProjectKind(
        id="cmake",
        sources="application",
        tflm_is_missing="TFLM is not on the include path: build with the project's CMakeLists.txt.",
    ),
    ProjectKind(
        id="arduino",
        sources="src",
        tflm_is_missing="This Arduino library needs Chirale_TensorFLowLite: see the Library Manager.",
        library_header="Chirale_TensorFlowLite.h",
        cc_suffix=".cpp",
        static_memory=False,
    ),
    ProjectKind(
        id="esp-idf",
        sources="main",
        tflm_is_missing="The component espressif/esp-tflite-micro is missing: see main/idf_component.yml.",
        tolerance_steps=1,  # ESP-NN rounds otherwise in places
    ),
    ProjectKind(
        id="zephyr",
        sources="src",
        tflm_is_missing="Zephyr's module tflite-micro is missing: run west update with it, see README.md.",
        static_memory=False,
    ),
    ProjectKind(
        id="pico",
        sources="src",
        tflm_is_missing="pico-tflmicro is missing: pass its root as PICO_TFLMICRO_DIR.",
    ),
)
PROJECTS = {kind.id: kind for kind in _KINDS}
"""The kinds of projects, by name."""


def render_project(
    kind: ProjectKind,
    *,
    tflite: bytes,
    model: Model,
    golden: FittedGolden,
    arena_bytes: int,
    arena_size_bytes: int,
    arena_evidence: str,
    profile: Profile,
    image_bytes: float,
) -> dict[str, str]:
    """Path in the project → text, for all files of a TFLM project; the same arguments give the same texts.

    Args:
        kind: which build system.
        tflite: the artefact.
        model: the same, read.
        golden: samples for the check.
        arena_bytes: what the interpreter needs on the device.
        arena_size_bytes: what the project reserves.
        arena_evidence: where the first number comes from, as a clause.
        profile: the device.
        image_bytes: of the application as predicted, golden samples included.

    Raises:
        OpError: a project cannot hold an op of the model.
        ModelError: an input or output is of a type that C++ lacks.
        DataError: a golden sample cannot be written down.
    """
    ops = list(kinds_used(model))
    _refuse_ops(ops, where=model.where)
    comment = format_comment(tflite, {"Device": profile.id})
    values = {
        "arena_bytes": str(arena_bytes),
        "arena_size": str(arena_size_bytes),
        "decode": fill_template("project/decode_is_missing.in", {}) if DECODE in ops else "",
        "depends": "depends=Chirale_TensorFLowLite\n",
        "init_fails": "False if TFLM refuses: its log says why.",
        "inputs_after": "TFLM may reuse the inputs' memory for other values, so fill all inputs before each "
        "call.",
        "kernels": "".join(f"  {name}\n" for name in list_kernels(ops)),
        "library_header": f"#include <{kind.library_header}>\n" if kind.library_header else "",
        "model_bytes": str(len(tflite)),
        "runtime": "TFLM",
        "runtime_of_library": " for TensorFlow Lite Micro",
        "runtime_options": "CONFIG_TENSORFLOW_LITE_MICRO=y\n",
        "tflm_is_missing": kind.tflm_is_missing,
        "tolerance_steps": str(kind.tolerance_steps),
        "used_before_init": "; 0 before Init()",
    }
    package = render_tflm_package(
        tflite=tflite,
        model=model,
        arena_bytes=arena_bytes,
        arena_size_bytes=arena_size_bytes,
        arena_evidence=arena_evidence,
        comment=comment,
    )
    texts = render_kind(
        kind,
        values,
        runtime="tflm",
        tflite=tflite,
        model=model,
        golden=golden,
        profile=profile,
        image_bytes=image_bytes,
    )
    return texts | _place_sources(package, kind)


def render_kind(
    kind: ProjectKind,
    values: Mapping[str, str],
    *,
    runtime: str,
    tflite: bytes,
    model: Model,
    golden: FittedGolden,
    profile: Profile,
    image_bytes: float,
) -> dict[str, str]:
    """Path in the project → text: what all projects of a kind have, and what those of a runtime add.

    Args:
        kind: which build system.
        values: of the runtime's templates.
        runtime: "tflm" or "c"; its templates are in `templates/runtimes/<runtime>`.
        tflite: the artefact.
        model: the same, read.
        golden: samples for the check.
        profile: the device.
        image_bytes: of the application as predicted, golden samples included.

    Raises:
        ModelError: an input or output is of a type that C++ lacks.
        DataError: a golden sample cannot be written down.
    """
    filled = {
        "comment": format_comment(tflite, {"Device": profile.id}),
        "device": one_line(profile.id),
        "model_bytes": str(len(tflite)),
        "model_crc32": str(crc32(tflite)),
        **values,
        **render_wrapper(model, labels=golden.golden.labels, runtime=runtime),
        **render_golden(golden.golden, model, as_crc=golden.as_crc),
        **describe_device(profile, image_bytes=image_bytes),
    }
    application = render_folder("project/application", filled)
    application |= render_folder(f"runtimes/{runtime}/application", filled)
    partitions = render_partitions(profile, image_bytes=image_bytes) if kind.id == "esp-idf" else None
    return (
        render_folder(f"project/{kind.id}", filled)
        | render_folder(f"runtimes/{runtime}/{kind.id}", filled)
        | ({"partitions.csv": partitions} if partitions else {})
        | _place_sources(application, kind)
    )


def _place_sources(texts: Mapping[str, str], kind: ProjectKind) -> dict[str, str]:
    """Name → text, by paths in a project, with the suffix that its build system wants."""
    return {f"{kind.sources}/{_rename(name, kind)}": text for name, text in sorted(texts.items())}


def count_growth(model: Model, kind: ProjectKind) -> int:
    """Bytes that records in the arena take more in a project of this kind than was predicted."""
    if kind.static_memory:
        return 0
    ends = len(model.inputs) + len(model.outputs)
    return _NODE_GROWTH_BYTES * len(model.ops) + _TENSOR_GROWTH_BYTES * ends


def _rename(name: str, kind: ProjectKind) -> str:
    return name.removesuffix(".cc") + kind.cc_suffix if name.endswith(".cc") else name


def _refuse_ops(ops: Iterable[str], *, where: str) -> None:
    for op in ops:
        if op in _NOT_IN_PROJECTS:
            raise OpError(
                f"a project cannot hold the op {op.removeprefix('CUSTOM:')}",
                where=where,
                why=_NOT_IN_PROJECTS[op],
                fix="take the files of the build's tflm/ folder into a project of your own",
            )
