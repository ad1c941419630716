"""Whether XNNPACK can take its sparse kernels for a graph; if not, which op stands in the way first.

XNNPACK turns a stretch of the graph from pixel-by-pixel to channel-by-channel layout, because its sparse
kernels work in the latter. The stretch begins with a strided 3×3 convolution of three channels, goes on
through a few kinds of ops, and ends with an average over the image or with DEPTH_TO_SPACE. Over two thirds of
the weights of its 1×1 convolutions must be zero; a FULLY_CONNECTED that follows counts, too, in newer
releases (it does in ai-edge-litert 1.2.0, and not in tflite-runtime 2.14.0).

The rules are those of `xnn_check_nchw_compatibility` and `xnn_subgraph_rewrite_for_nchw` in `src/subgraph.c`
of google/XNNPACK, at b9d4073 (which tflite-runtime 2.14 contains) as well as in August 2026: what either
refuses is refused here. They are stricter than the source in one respect. Where a stretch does not end as it
should, XNNPACK may rewrite it all the same and then computes wrong outputs without a word: this was seen with
tflite-runtime 2.14.0 and ai-edge-litert 1.2.0 on an emulated ARM core, for example where a MAX_POOL_2D or a
3×3 convolution follows, or where a tensor on the way is an output, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune.tflite.model import NUMPY_TYPES, Model, Op, Tensor
from edgeprune.tflite.sparse.ops import Graph

MIN_SPARSITY = 2 / 3
"""XNNPACK takes its sparse kernels above this fraction of zeros."""

_LATE = "comes first, and a sparse stretch begins with a 3×3 convolution of stride 2 and 3 channels in"


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """What XNNPACK makes of a graph whose weights are stored as sparse.

    Attributes:
        holds: whether it takes its sparse kernels, and computes what it should.
        sentence: what speaks for it, or what stands in the way first.
        op: index of the op that stands in the way; None where none does by itself.
        matrices: indices of the ops whose weights count: 1×1 convolutions and FULLY_CONNECTED.
        weights, zeros: how many weights these have, and how many of them are zero.
    """

    holds: bool
    sentence: str
    op: int | None = None
    matrices: tuple[int, ...] = ()
    weights: int = 0
    zeros: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refusal:
    """The op that stands in the way, and why, as a clause."""

    op: Op
    why: str


def explain_pattern(model: Model) -> Explained:
    """Whether XNNPACK takes its sparse kernels for the main subgraph, and what stands in the way if not.

    Weights may be dense or in TFLite's sparse encoding; what counts is their zeros.
    """
    walk = _Walk(model)
    refusal = walk.find_refusal()
    if refusal is not None:
        name = model.tensors[refusal.op.outputs[0]].name.split(";")[0] if refusal.op.outputs else ""
        label = f"{refusal.op.name} {refusal.op.index}" + (f" ('{name}')" if name else "")
        return Explained(
            holds=False,
            op=refusal.op.index,
            sentence=f"XNNPACK cannot take its sparse kernels: {label} {refusal.why}.",
        )
    return walk.weigh()


class _Walk:
    """One pass over the ops; `inside` are the tensors of the stretch, in channel-by-channel layout."""

    def __init__(self, model: Model) -> None:
        self.graph = Graph(model)
        self.outputs = model.subgraphs[0].outputs
        self.inside: set[int] = set()
        self.matrices: list[Op] = []
        self.begun: Op | None = None
        self.ended: Op | None = None

    def find_refusal(self) -> _Refusal | None:
        """What stands in the way first; None if a stretch begins and ends as it should."""
        missed: _Refusal | None = None
        for op in self.graph.ops:
            part, why = self.graph.evaluator(op)
            inputs = self.graph.inputs(op)
            entering = [index for index in inputs if index in self.inside]
            if not entering:
                if part == "begins":
                    self.begun = self.begun or op
                    self.inside.update(op.outputs)
                elif op.name == "CONV_2D" and missed is None:
                    missed = _Refusal(op=op, why=why or _LATE)
                continue
            if part in ("", "begins"):
                return _Refusal(op=op, why=why or "cannot follow sparse kernels")
            if len(entering) < len(inputs):
                return _Refusal(op=op, why="reads a tensor that does not come from sparse kernels, too")
            shown = [index for index in entering if index in self.outputs]
            if shown:
                return _Refusal(op=op, why="reads a tensor that is an output of the model, too")
            if (refusal := self._advance(op, part)) is not None:
                return refusal
        return self._find_loose_end(missed)

    def weigh(self) -> Explained:
        """The verdict on the zeros in the stretch."""
        convolutions = [op for op in self.matrices if op.name == "CONV_2D"]
        if not convolutions or self.begun is None or self.ended is None:
            return Explained(
                holds=False,
                sentence="XNNPACK has sparse kernels for 1×1 convolutions, and here are none that count.",
            )
        for counted in (convolutions, self.matrices):
            counts = [self._count(op) for op in counted]
            weights, zeros = (sum(each) for each in zip(*counts, strict=True))
            kind = "1×1 convolutions" if counted is convolutions else "1×1 convolutions and FULLY_CONNECTED"
            share = f"{zeros:,} of {weights:,} weights of its {kind} are zero ({zeros / weights:.1%})"
            found = {"matrices": tuple(op.index for op in counted), "weights": weights, "zeros": zeros}
            if zeros <= MIN_SPARSITY * weights:
                return Explained(
                    holds=False,
                    sentence=f"XNNPACK takes its dense kernels: {share}, and it asks for over two thirds.",
                    **found,
                )
        span = f"from CONV_2D {self.begun.index} to {self.ended.name} {self.ended.index}"
        return Explained(
            holds=True, sentence=f"XNNPACK can take its sparse kernels {span}: {share}.", **found
        )

    def _advance(self, op: Op, part: str) -> _Refusal | None:
        """Take the op into the stretch, or end the stretch with it; why it can do neither."""
        if _is_matrix(op, self.graph.static):
            self.matrices.append(op)
        made = op.outputs[0]
        following = [reader for reader in self.graph.readers.get(made, []) if self.graph.evaluator(reader)[0]]
        if op.name == "FULLY_CONNECTED":
            # ai-edge-litert 1.2 fails to load models in which one follows another.
            return _Refusal(op=following[0], why="follows a FULLY_CONNECTED") if following else None
        goes_on = part == "inside" or (op.name == "MEAN" and bool(following))
        if goes_on:
            self.inside.add(made)
        if part == "ends" and all(reader.name == "FULLY_CONNECTED" for reader in following):
            self.ended = op
        return None

    def _find_loose_end(self, missed: _Refusal | None) -> _Refusal | None:
        if self.begun is None:
            return missed
        for op in self.graph.ops:
            for index in op.outputs:
                if index in self.inside and not self.graph.readers.get(index):
                    return _Refusal(op=op, why="ends the model without an average over the image")
        return None

    def _count(self, op: Op) -> tuple[int, int]:
        """Weights of an op, and how many of them are zero."""
        tensor = self.graph.static[op.inputs[1]]
        return tensor.elements, tensor.elements - _count_nonzero(tensor)


def _is_matrix(op: Op, static: Mapping[int, Tensor]) -> bool:
    if op.name == "FULLY_CONNECTED":
        return op.inputs[1] in static
    return op.name == "CONV_2D" and static[op.inputs[1]].shape[1:3] == (1, 1)


def _count_nonzero(tensor: Tensor) -> int:
    # In the sparse encoding, too, the data are values of the tensor's type; zeros among them are zeros.
    data = np.empty(0, np.uint8) if tensor.data is None else tensor.data
    return int(np.count_nonzero(data.view(NUMPY_TYPES[tensor.dtype])))
