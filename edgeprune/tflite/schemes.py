"""How models can be quantized, and which types their files then hold. Imports no TensorFlow."""

from dataclasses import dataclass

from edgeprune.errors import RecipeError
from edgeprune.registry import Registry
from edgeprune.tflite.op_table import F16, I8, I16, U8, F, Types


@dataclass(frozen=True, kw_only=True, slots=True)
class OpUse:
    """An op with the types it is used with.

    Attributes:
        op: its name, as in `OPS`.
        activation: type of the input that decides.
        weights: type of its weights, "" for ops without any.
    """

    op: str
    activation: str
    weights: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """A way to quantize.

    Attributes:
        name: as in `--scheme`.
        summary: one line for `edgeprune list schemes`.
        activations, weights: their types in the file.
        io_types: types that inputs and outputs can have, the default one first.
        always: what such files of convolutional networks hold; a runtime that cannot execute it cannot use
            the scheme at all.
    """

    name: str
    summary: str
    activations: str
    weights: str
    io_types: Types
    always: OpUse

    @property
    def needs_data(self) -> bool:
        """Whether it calibrates activations on a representative set."""
        return self.activations != F


SCHEMES: Registry[Scheme] = Registry("scheme", listing="edgeprune list schemes")

for _scheme in (
    Scheme(
        name="int8",
        summary="8-bit weights (per channel) and activations, no floats inside",
        activations=I8,
        weights=I8,
        io_types=(I8, U8, F),
        always=OpUse(op="CONV_2D", activation=I8, weights=I8),
    ),
    Scheme(
        name="int16x8",
        summary="8-bit weights (per channel), 16-bit activations: nearer to float, in twice the arena",
        activations=I16,
        weights=I8,
        io_types=(I16, F),
        always=OpUse(op="CONV_2D", activation=I16, weights=I8),
    ),
    Scheme(
        name="float16",
        summary="16-bit float weights, computed in 32-bit floats",
        activations=F,
        weights=F16,
        io_types=(F,),
        always=OpUse(op="DEQUANTIZE", activation=F16),
    ),
    Scheme(
        name="dynamic_range",
        summary="8-bit weights, float activations that are quantized while the model runs",
        activations=F,
        weights=I8,
        io_types=(F,),
        always=OpUse(op="CONV_2D", activation=F, weights=I8),
    ),
    Scheme(
        name="none",
        summary="32-bit floats, for comparison",
        activations=F,
        weights=F,
        io_types=(F,),
        always=OpUse(op="CONV_2D", activation=F, weights=F),
    ),
):
    SCHEMES.add(_scheme.name, _scheme)


def choose_io_type(scheme: str, io_type: str | None) -> str:
    """The type of inputs and outputs: the one asked for, or the scheme's default.

    Raises:
        UnknownNameError: there is no such scheme.
        RecipeError: files of the scheme cannot have it.
    """
    offered = SCHEMES[scheme].io_types
    if io_type is None:
        return offered[0]
    if io_type not in offered:
        raise RecipeError(
            f"scheme '{scheme}' has no {io_type} inputs and outputs",
            where="--io-type",
            fix=f"choose {' or '.join(offered)}",
        )
    return io_type
