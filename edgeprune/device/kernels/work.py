"""What an op does, counted in a few kinds of work: for devices whose instructions nobody counted.

Cores differ in how fast they do each kind, by its own factor; `tables/paces.json` has those that were timed.
"""

from collections.abc import Mapping
from math import prod

from edgeprune.device.kernels.loops import rows_of
from edgeprune.graph.opshape import OpShape

WORK: Mapping[str, str] = {
    "conv": "multiply-accumulates of convolutions",
    "conv_1x1": "those of 1x1 convolutions and of other products of matrices",
    "grouped": "those of convolutions in groups of channels",
    "depthwise": "those of depthwise convolutions",
    "fully_connected": "those of one vector by a matrix: each weight is read for one of them",
    "elements": "values read and written",
    "functions": "values through exp, tanh and the like",
    "ops": "ops, whatever they do",
}
"""Each kind, and what is counted of it."""

_FUNCTIONS = {
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "ELU", "EXP", "LOG", "SIN", "COS"), 1),
    "GELU": 3,
}
"""How many functions of each value an op computes; GELU's error function is as long as three of them."""

_FREE = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
"""Ops that move nothing."""


def count_work(op: OpShape) -> dict[str, float]:
    """The work of one op, by the kinds of `WORK` that it has."""
    if op.op in _FREE or not op.inputs:
        return {}  # what has no inputs unpacks constants, once and for all
    values = float(sum(map(prod, op.inputs)) + prod(op.output))
    work = {"elements": values, "ops": 1.0}
    if op.op in _FUNCTIONS:
        work["functions"] = float(_FUNCTIONS[op.op] * prod(op.output))
    if op.macs:
        work[_kind_of(op)] = float(op.macs)
    return work


def _kind_of(op: OpShape) -> str:
    if op.op == "DEPTHWISE_CONV_2D":
        return "depthwise"
    if op.op == "CONV_2D" and op.filter is not None:
        if op.filter[3] < op.inputs[0][3]:
            return "grouped"
        return "conv_1x1" if op.filter[1:3] == (1, 1) else "conv"
    if op.op == "BATCH_MATMUL" or (op.op == "FULLY_CONNECTED" and rows_of(op.output) > 1):
        return "conv_1x1"
    dense = ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF")
    return "fully_connected" if op.op in dense else "conv"
