"""The same inputs through several runtimes, each compared with LiteRT's reference kernels.

The reference is tflite-runtime 2.14, whose reference kernels round as TFLM's do, unless all other kernels
contradict it: then the odd one out is named, and the newer LiteRT's are the reference. LiteRT of TensorFlow
2.21 and of ai-edge-litert 2 rounds otherwise, in its reference kernels, too: up to 9 steps at the end of
ResNet-8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from edgeprune.errors import ModelError, OpError, ToolError, ToolMissingError, ToolStoppedError
from edgeprune.runtimes.compare import Agreement, Run, compare_runs
from edgeprune.runtimes.litert_choice import choose_litert, explain_unusable
from edgeprune.runtimes.litert_host import Kernels, run_litert
from edgeprune.runtimes.samples import Array
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import output_steps, unsupported_ops
from edgeprune.tflite.read import read_model

STEPS_ALLOWED = 1
"""Two correct kernels may round one value differently."""
FRACTION_ALLOWED = 1e-3
"""Of the output's range, for outputs that have no steps."""
_MACS_AT_MOST = 4e9
"""How much work a comparison may be: reference kernels run at about 0.3 GMAC/s."""
_LEAST_SAMPLES = 4
_ROUNDS_AS_TFLM = "tflite-runtime"
_NEWER = ("ai-edge-litert", "tensorflow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One runtime against the reference.

    Attributes:
        kind: "xnnpack" of the reference's LiteRT, "newer-reference" and "newer-xnnpack", "odd" for reference
            kernels that all others contradict, or "tflm".
        runtime: what ran, with its version.
        agreement: None where it did not run.
        unavailable: why not, "" where it ran.
        is_missing: whether that is because it is not installed here, which says nothing about the file.
    """

    kind: str
    runtime: str
    agreement: Agreement | None
    unavailable: str = ""
    is_missing: bool = False

    @property
    def ok(self) -> bool:
        """Whether it differs by no more than rounding can explain; so, too, if it did not run."""
        found = self.agreement
        if found is None:
            return True
        if found.max_steps is None:
            return found.max_fraction <= FRACTION_ALLOWED
        return found.max_steps <= STEPS_ALLOWED

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        found = self.agreement
        return {
            "kind": self.kind,
            "runtime": self.runtime,
            "max_difference_steps": found and found.max_steps,
            "max_difference": found and found.max_difference,
            "max_difference_fraction": found and found.max_fraction,
            "differing_elements": found and found.differing,
            "elements": found and found.elements,
            "changed_top1": found and found.changed_top1,
            "samples": found and found.samples,
            "unavailable": self.unavailable,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All runtimes against the reference.

    Attributes:
        reference: what the others are compared with, with its version.
        decides: whether the reference rounds as TFLM does, so that more than a step between them is a fault.
        rows: one per runtime.
        required: kind of the row that must agree with the reference; "" for none.
        undecided: why the reference cannot tell, as a clause; "" where it can.
        file: which file was compared, as a clause; "" for the one that is shipped.
        note: the same as a sentence.
    """

    reference: str
    decides: bool
    rows: tuple[Compared, ...]
    required: str = ""
    undecided: str = ""
    file: str = ""
    note: str = ""

    @property
    def tflm(self) -> Compared | None:
        """TFLM's row, if it is of interest."""
        return self._find("tflm")

    @property
    def odd(self) -> Compared | None:
        """The runtime that all others contradict, if there is one and it ran."""
        row = self._find("odd")
        return row if row is not None and not row.ok else None

    @property
    def verified(self) -> Compared | None:
        """The row that must agree with the reference, if one has to."""
        return self._find(self.required)

    def _find(self, kind: str) -> Compared | None:
        return next((row for row in self.rows if row.kind == kind), None)


def find_newer_litert() -> str | None:
    """A newer LiteRT than tflite-runtime's that can be loaded, if files do not run in it anyway."""
    chosen = choose_litert()
    return next((name for name in _NEWER if name != chosen and not explain_unusable(name)), None)


def choose_sample_count(macs: int, *, most: int = 100) -> int:
    """How many samples reference kernels compute in reasonable time."""
    return int(max(_LEAST_SAMPLES, min(_MACS_AT_MOST / max(macs, 1), most)))


def compare_runtimes(
    tflite: bytes,
    inputs: tuple[Array, ...],
    *,
    newer: str | None = None,
    encoded: bytes | None = None,
    with_tflm: bool = True,
) -> Comparison:
    """Every runtime there is here against LiteRT's reference kernels, unless all others contradict these.

    Args:
        tflite: the file.
        inputs: one array per input, (samples, ...), as `run_litert` takes them.
        newer: a distribution whose LiteRT is compared besides, as `find_newer_litert` gives it.
        encoded: the same model as TFLM gets it, where that is another file.
        with_tflm: whether TFLM is of interest.

    Raises:
        ModelError: the file is damaged, or the reference cannot run it.
        DataError: the inputs do not fit it.
        OpError: the reference has no kernel for one of its ops.
        ToolError: the reference cannot run.
    """
    model = read_model(tflite, where="the artefact")
    package = _choose_reference(model)
    found = _compare(tflite, inputs, model, package, newer=newer, encoded=encoded, with_tflm=with_tflm)
    if package is not None or newer is None or not found.decides or not _is_contradicted(found.rows):
        return found
    again = _compare(tflite, inputs, model, newer, newer=newer, encoded=encoded, with_tflm=with_tflm)
    return again if all(row.ok for row in again.rows if row.kind in ("xnnpack", "tflm")) else found


def _is_contradicted(rows: Sequence[Compared]) -> bool:
    """Whether kernels of three kinds and more all differ from the reference by more than rounding."""
    return len(rows) > 2 and all(row.agreement is not None and not row.ok for row in rows)


def _compare(
    tflite: bytes,
    inputs: tuple[Array, ...],
    model: Model,
    package: str | None,
    *,
    newer: str | None,
    encoded: bytes | None,
    with_tflm: bool,
) -> Comparison:
    """All runtimes against the reference kernels of a distribution; None for the usual one."""
    steps = output_steps(model)
    plain: Kernels = "reference"
    try:
        reference = run_litert(tflite, inputs, kernels=plain, package=package)
    except OpError:  # reference kernels are fewer, or of older versions
        plain = "builtin"
        reference = run_litert(tflite, inputs, kernels=plain, package=package)
    undecided = ""
    if not reference.runtime.startswith(_ROUNDS_AS_TFLM) or plain != "reference":
        undecided = f"{reference.runtime} rounds otherwise than TFLM; tflite-runtime 2.14 would tell"
        if package is not None:
            undecided = (
                f"{reference.runtime} rounds otherwise than TFLM; tflite-runtime 2.14, which does not, is "
                "contradicted by all others"
            )
        elif choose_litert() == _ROUNDS_AS_TFLM:
            undecided = (
                f"{reference.runtime} rounds otherwise than TFLM; tflite-runtime 2.14 lacks an op of the file"
            )

    def compare(kind: str, runtime: str, run: Callable[[], Run]) -> Compared:
        try:
            agreement = compare_runs(reference, run(), step_sizes=steps)
        except ToolStoppedError:
            raise
        except (ModelError, OpError, ToolError) as error:
            return Compared(
                kind=kind,
                runtime=runtime,
                agreement=None,
                unavailable=error.message,
                is_missing=isinstance(error, ToolMissingError),
            )
        return Compared(kind=kind, runtime=runtime, agreement=agreement)

    chosen = reference.runtime.split()[0]
    rows = [
        compare(
            "xnnpack", f"{reference.runtime}, XNNPACK", lambda: run_litert(tflite, inputs, package=chosen)
        )
    ]
    if newer is not None and newer != reference.runtime.split()[0]:
        name = f"{newer} {version(newer)}"
        kernels: tuple[tuple[str, str, Kernels], ...] = (
            ("newer-reference", "reference kernels", "reference"),
            ("newer-xnnpack", "XNNPACK", "default"),
        )
        rows += [
            compare(
                kind, f"{name}, {said}", partial(run_litert, tflite, inputs, kernels=choice, package=newer)
            )
            for kind, said, choice in kernels
        ]
    if package is not None and choose_litert() == _ROUNDS_AS_TFLM:
        odd = f"{_ROUNDS_AS_TFLM} {version(_ROUNDS_AS_TFLM)}"
        run_odd = partial(run_litert, tflite, inputs, kernels="reference", package=_ROUNDS_AS_TFLM)
        rows.append(compare("odd", f"{odd}, reference kernels", run_odd))
    if with_tflm:
        rows.append(_try_tflm(encoded or tflite, lambda name, run: compare("tflm", name, run), inputs))
    return Comparison(
        reference=f"{reference.runtime}, {plain} kernels",
        decides=not undecided,
        undecided=undecided,
        rows=tuple(rows),
    )


def _choose_reference(model: Model) -> str | None:
    """Whose reference kernels are compared with; None for the usual ones.

    Those of tflite-runtime 2.14 read a FULLY_CONNECTED with a scale per output as if it had one for all,
    where its input has more than two axes; XNNPACK, TensorFlow 2.21 and TFLM agree against it.
    """
    for op in model.ops:
        if op.name == "FULLY_CONNECTED":
            x, weights = (model.tensors[index] for index in op.inputs[:2])
            if len(x.shape) > 2 and weights.scales.size > 1:
                return find_newer_litert()
    return None


def _try_tflm(
    tflite: bytes, compare: Callable[[str, Callable[[], Run]], Compared], inputs: tuple[Array, ...]
) -> Compared:
    name = f"tflite-micro {version('tflite-micro')}" if _is_installed("tflite-micro") else "tflite-micro"
    missing = unsupported_ops(read_model(tflite, where="the artefact"), runtime="tflm")
    if missing:
        reason = f"{missing[0].op}: {missing[0].reason}"
        return Compared(kind="tflm", runtime=name, agreement=None, unavailable=reason)
    return compare(name, lambda: run_tflm(tflite, inputs))


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
