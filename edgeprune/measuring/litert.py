"""LiteRT on phones and single-board computers: an application maps the file, XNNPACK executes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeprune.device.check import Budgets
from edgeprune.device.estimate import estimate_mapped
from edgeprune.device.power import add_energy
from edgeprune.encoding import xnnpack_sparse
from edgeprune.errors import RecipeError
from edgeprune.measuring.arena import plan_activations
from edgeprune.measuring.backend import BACKENDS
from edgeprune.measuring.defaults import DefaultBackend, read_ops
from edgeprune.measuring.records import (
    Encoded,
    Measured,
    Project,
    ProjectOptions,
    Refusal,
    TakeGolden,
    Worth,
)
from edgeprune.measuring.refusals import list_reasons, refuse_compiled
from edgeprune.measuring.trial import invoke_once
from edgeprune.prune.masks import Pattern
from edgeprune.tflite.model import Model

_MACS_AT_MOST = 4e10
"""A file of more is not run only to see whether it does."""
_FLOATS = "none"
"""The scheme of files that XNNPACK's sparse kernels may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Litert(DefaultBackend):
    """LiteRT under an operating system.

    Its kernels round otherwise than the reference by design, so none has to agree.
    """

    runtime: ClassVar[str] = "litert"
    label: ClassVar[str] = "litert"
    writes_metadata: ClassVar[bool] = True

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Time, where XNNPACK has sparse kernels."""
        if xnnpack_sparse.DECODES not in self.profile.runtime.decodes:
            return DefaultBackend.value_zeros(self, pattern, scheme=scheme)
        if pattern.kind == "n_of_m" or scheme != _FLOATS:
            what = f"{pattern} buys" if pattern.kind == "n_of_m" else f"zeros in an {scheme} file buy"
            return Worth(
                reason=f"{what} nothing on {self.place}: XNNPACK's sparse kernels are for float files "
                "with zeros anywhere, and a dense int8 file is smaller and mostly faster"
            )
        return Worth(
            latency=True,
            reason=f"zeros may save time on {self.place}: XNNPACK has sparse kernels for 1×1 convolutions of "
            "floats, more than two thirds zeros, in networks of a certain shape; 'edgeprune compress' tells",
        )

    def refuse(self, model: Model) -> Refusal | None:
        """What tflite-runtime 2.14 has no kernel for."""
        return refuse_compiled(model, runtime="litert", profile=self.profile)

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """A plan of the activations, the rest from the profile; and the file is run once, where it can be."""
        model, ops = read_ops(file, where=where)
        arena = plan_activations(model, self.profile)
        figures = estimate_mapped(ops, tflite_bytes=len(file), arena=arena, profile=self.profile)
        unsupported, invoked = list_reasons(self.refuse(model)), ""
        if not unsupported and sum(op.macs * (op.turns or 1) for op in ops) <= _MACS_AT_MOST:
            invoked, refusal = invoke_once(file)
            unsupported = (refusal,) if refusal else ()
        return Measured(
            model=model,
            ops=ops,
            figures=add_energy(figures, self.profile.power),
            unsupported=unsupported,
            invoked=invoked,
        )

    def encode(self, file: bytes, *, budgets: Budgets, scheme: str | None = None) -> Encoded:
        """Floats without their zeros, where XNNPACK's sparse kernels take them and are faster."""
        decodes = self.profile.runtime.decodes
        if xnnpack_sparse.DECODES not in decodes or scheme not in (None, _FLOATS):
            return DefaultBackend.encode(self, file, budgets=budgets, scheme=scheme)
        measured = self.measure(file, where="model.tflite")
        sparse = xnnpack_sparse.choose_sparse(file, profile=self.profile)
        figures = self.measure(sparse.tflite, where="model_encoded.tflite").figures
        return Encoded(measured=measured, figures=figures, compressed=sparse)

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """Raises RecipeError."""
        raise RecipeError(
            f"{self.profile.id} runs LiteRT, not TFLM", fix="ship the .tflite file with the application"
        )


BACKENDS.add("litert", Litert)
