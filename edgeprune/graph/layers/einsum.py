"""EinsumDense, Dot and RepeatVector: channels are followed label by label, or axis by axis."""

from dataclasses import dataclass
from math import prod

from edgeprune.graph.channel_ids import Ids, fixed
from edgeprune.graph.layers.activations import activation_name, guard_activation, lower_activation
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, one_op, rule
from edgeprune.graph.opshape import OpShape, Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class _Equation:
    """An einsum of an input with a kernel, as labels per axis; elided axes are labelled with digits.

    Attributes:
        source, kernel, target: labels of the input, the kernel and the output, the batch's included.
        given: labels of the axes whose sizes the layer's `output_shape` lists.
    """

    source: str
    kernel: str
    target: str
    given: str


def _parse(equation: str, *, rank: int) -> _Equation:
    """The labels of `equation` for an input of `rank` axes, batch included."""
    operands, target = equation.replace(" ", "").split("->")
    source, kernel = operands.split(",")
    letters = target.replace("...", "")
    elided = "".join(chr(ord("0") + i) for i in range(rank - len(source.replace("...", ""))))
    batch = "" if target.startswith("...") else letters[0]
    return _Equation(
        source=source.replace("...", elided),
        kernel=kernel,
        target=target.replace("...", elided),
        given=letters.removeprefix(batch),
    )


def _flow_einsum(call: Call) -> Flow:
    names = set(call.layer.weights)
    if not {"kernel"} <= names <= {"kernel", "bias"}:
        return keep(call, f"its weights are {', '.join(sorted(names))}, not a kernel and a bias")
    found = _parse(call.layer.config["equation"], rank=len(call.input_shapes[0]) + 1)
    if any(len(set(labels)) < len(labels) for labels in (found.source, found.kernel, found.target)):
        return keep(call, f"a label stands twice in one operand of '{call.layer.config['equation']}'")
    read = dict(zip(found.source[1:], (*call.inner[0], call.inputs[0]), strict=True))
    for label, ids in read.items():
        if ids is not None and label not in found.kernel and label not in found.target:
            call.space.freeze(ids, f"summed over without weights (layer '{call.layer.name}')")
    made: dict[str, Ids | None] = dict(read)
    for label, size in zip(found.kernel, call.layer.weights["kernel"].shape, strict=True):
        if label not in found.source:
            suffix = "" if label == found.target[-1] else f":{label}"
            made[label] = call.space.fresh(size, name=f"{call.layer.name}{suffix}")
    *inner, last = (made.get(label) for label in found.target[1:])
    if last is None:
        last = fixed(dict(zip(found.source[1:], call.input_shapes[0], strict=True))[found.target[-1]])
    for ids in (*inner, last):
        if ids is not None:
            guard_activation(call, ids)
    axes = {"kernel": tuple(made.get(label) for label in found.kernel)}
    if "bias" in names:
        axes["bias"] = _follow_bias(call, found, made)
        guard_bias(call, axes["bias"], last=last, positions=call.output_shapes[0][0])
    consumes = tuple(
        ("kernel", axis)
        for axis, label in enumerate(found.kernel)
        if label in found.source and label not in found.target
    )
    return Flow(outputs=(last,), axes=axes, inner=(tuple(inner),), consumes=consumes)


def _follow_bias(call: Call, found: _Equation, made: dict[str, Ids | None]) -> tuple[Ids | None, ...]:
    """The bias has an axis for each label of the output from the first of `bias_axes` on."""
    shape = call.layer.weights["bias"].shape
    labels = found.target[len(found.target) - len(shape) :]
    return tuple(made.get(label) if size > 1 else None for label, size in zip(labels, shape, strict=True))


def guard_bias(call: Call, along: tuple[Ids | None, ...], *, last: Ids, positions: int | None) -> None:
    """Keeps Keras from taking a bias over several axes for one over another axis.

    On TensorFlow `keras.ops.add` (Keras 3.15) adds what can be squeezed to n numbers along the last axis if
    that has n entries, else along the first if that has. So a column must not be as long as the last axis,
    and what is no column must not become one where the first axis may be as long.

    Args:
        call: of the layer.
        along: ids along each axis of the bias.
        last: ids along the last axis of what the bias is added to.
        positions: size of its first axis, batch left out.
    """
    *columns, row = along
    if all(ids is None for ids in columns):
        return
    if row is None or len(row) < 2:
        going = [*columns, last]
    elif any(ids is not None and (positions or 2) in range(2, len(ids) + 1) for ids in columns):
        going = [row[:2]]
    else:
        return
    for ids in going:
        if ids is not None:
            call.space.freeze(ids, f"Keras would mistake the axis of its bias (layer '{call.layer.name}')")


def _resize_einsum(resized: Resized) -> Config:
    """The sizes of the output; also those that were left open, or a Reshape behind could not be rebuilt."""
    found = _parse(resized.config["equation"], rank=len(resized.input_shapes[0]) + 1)
    sizes = dict(zip(found.source[1:], resized.input_shapes[0], strict=True))
    sizes.update(zip(found.kernel, resized.weight_shapes.get("kernel", ()), strict=False))
    if not set(found.given) <= set(sizes):  # kept, with weights of another kind
        return {}
    return {"output_shape": [sizes[label] for label in found.given]}


def _lower_einsum(resized: Resized) -> tuple[OpShape, ...]:
    kernel = resized.weight_shapes["kernel"]
    found = _parse(resized.config["equation"], rank=len(resized.input_shapes[0]) + 1)
    out = prod(n for label, n in zip(found.kernel, kernel, strict=True) if label not in found.source)
    depth = prod(n for label, n in zip(found.kernel, kernel, strict=True) if label in found.source)
    rows = prod(n or 1 for n in resized.output_shapes[0]) // out
    shared = prod(n for label, n in zip(found.kernel, kernel, strict=True) if label in found.target) // out
    multiply = OpShape(
        op="FULLY_CONNECTED",
        name=resized.name,
        inputs=((rows, depth // shared),),
        output=(rows, out),
        filter=(out, depth // shared),
        has_bias="bias" in resized.weight_shapes,
    )
    return (multiply, *lower_activation(resized, activation_name(resized.config)))


def _flow_dot(call: Call) -> Flow:
    """A sum over one axis of each input: what lies there goes together, the other axes are lined up."""
    along: list[list[Ids | None]] = [
        [*inner, last] for inner, last in zip(call.inner, call.inputs, strict=True)
    ]
    met = [along[i].pop(axis) for i, axis in enumerate(_dot_axes(call.layer.config, call.input_shapes))]
    present = [ids for ids in met if ids is not None]
    for ids in present:
        if len(present) < len(met):
            call.space.freeze(ids, f"multiplied by what has no channels (layer '{call.layer.name}')")
        call.space.tie(present[0], ids)
    *inner, last = (*along[0], *along[1]) or (None,)
    if last is None:
        last = fixed(call.output_shapes[0][-1])
    return Flow(outputs=(last,), inner=(tuple(inner),))


def _dot_axes(config: Config, shapes: tuple[Shape, ...]) -> list[int]:
    """The axis of each input that is summed over, counted from 0 without the batch."""
    axes = config["axes"]
    pair = (axes, axes) if isinstance(axes, int) else axes
    return [axis % (len(shape) + 1) - 1 for axis, shape in zip(pair, shapes, strict=True)]


def _flow_repeat(call: Call) -> Flow:
    return Flow(outputs=call.inputs, inner=((None,),))


def _lower_dot(resized: Resized) -> tuple[OpShape, ...]:
    first, second = resized.input_shapes
    axis, _ = _dot_axes(resized.config, resized.input_shapes)
    depth = first[axis] or 1
    rows, columns = (prod(n or 1 for n in shape) // depth for shape in (first, second))
    inputs = ((1, rows, depth), (1, depth, columns))
    return (OpShape(op="BATCH_MATMUL", name=resized.name, inputs=inputs, output=(1, rows, columns)),)


rule(
    LayerRule(
        kind="EinsumDense",
        status="prunable",
        flow=_flow_einsum,
        resize=_resize_einsum,
        lower=_lower_einsum,
    )
)
rule(LayerRule(kind="Dot", status="transparent", flow=_flow_dot, reads_values=True, lower=_lower_dot))
rule(
    LayerRule(
        kind="RepeatVector",
        status="transparent",
        flow=_flow_repeat,
        lower=lambda resized: one_op(resized, "CONCATENATION"),
    )
)
