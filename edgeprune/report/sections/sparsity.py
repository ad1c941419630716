"""Zeros among the weights: why there are any, how they are stored, and that all of them arrived."""

from typing import TypedDict

from edgeprune.report.section import Proof


class KernelPart(TypedDict):
    """One kernel: the file's tensors it became, its weights, zeros that were made, and zeros that arrived."""

    kernel: str
    tensors: list[str]
    weights: int
    masked: int
    zeros: int


class SparsityPart(TypedDict):
    """Zeros among the weights.

    `why` says by what means the budgets were met; `stored` are sentences on how the zeros are stored and what
    that costs.
    """

    why: str
    kernels: list[KernelPart]
    stored: list[str]


def _say(sparsity: SparsityPart) -> list[str]:
    sentences = [sentence for sentence in (sparsity["why"], *sparsity["stored"]) if sentence]
    if sparsity["kernels"]:
        made = sum(kernel["masked"] for kernel in sparsity["kernels"])
        found = sum(kernel["zeros"] for kernel in sparsity["kernels"])
        sentences.append(f"Of {made} weights that were made zero, {found} are zero in the file.")
    return sentences


SPARSITY = Proof(reads="sparsity", say=_say)
