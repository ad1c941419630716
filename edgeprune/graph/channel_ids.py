"""Ids of channels: handed out, tied to those that must go with them, frozen, and closed into groups."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Axes = Mapping[str, tuple[Ids | None, ...]]
Inner = tuple[Ids | None, ...]

FIXED = -1
"""The id of a slice that is no channel and never goes: what ids are tied to it are frozen."""


def fixed(count: int | None) -> Ids:
    """Ids along an axis of `count` slices that are no channels."""
    return np.full(count or 1, FIXED, dtype=np.int64)


class ChannelSpace:
    """Hands out channel ids, ties them, freezes them. Used while the graph is walked, then thrown away."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._block: list[int] = []
        self._block_parent: list[int] = []
        self._block_names: list[str] = []
        self._block_units: list[str] = []
        self._frozen: dict[int, str] = {}

    def fresh(self, count: int, *, name: str, unit: str = "channels") -> Ids:
        """`count` new ids; `name` is the layer that makes the channels.

        Args:
            count: how many.
            name: of the family; for anything but channels with the unit behind a colon, "attention:heads".
            unit: what one id stands for. Only numbers of "channels" are rounded to the device's alignment.
        """
        start = len(self._parent)
        block = len(self._block_parent)
        self._parent.extend(range(start, start + count))
        self._block.extend([block] * count)
        self._block_parent.append(block)
        self._block_names.append(name)
        self._block_units.append(unit)
        return np.arange(start, start + count, dtype=np.int64)

    def tie(self, first: Ids, second: Ids) -> None:
        """Channel i of `first` can only go together with channel i of `second`; same shape, any rank."""
        if first.shape != second.shape:
            raise ValueError(f"tied channels differ in number: {first.shape} and {second.shape}")
        pairs = np.stack([first.ravel(), second.ravel()], axis=1)
        fixed = (pairs == FIXED).any(axis=1)
        if fixed.any():
            self.freeze(pairs[fixed], "goes together with what is no channel")
            pairs = pairs[~fixed]
        for a, b in np.unique(pairs, axis=0).tolist():
            self._join(self._parent, a, b)
        for a, b in {(self._block[i], self._block[j]) for i, j in pairs.tolist()}:
            self._join(self._block_parent, a, b)

    def freeze(self, ids: Ids, reason: str) -> None:
        """These channels stay; the first reason given is the one reported."""
        for i in np.unique(ids[ids != FIXED]).tolist():
            self._frozen.setdefault(i, reason)

    def close(self) -> "Groups":
        """The groups and families of all ids handed out, and of `FIXED`."""
        fixed = self.fresh(1, name="no channels", unit="slices")
        self.freeze(fixed, "no channel")
        roots = np.array([self._find(self._parent, i) for i in range(len(self._parent))], dtype=np.int64)
        _, group_of_id = np.unique(roots, return_inverse=True)
        count = int(group_of_id.max(initial=-1)) + 1
        blocks = np.array([self._find(self._block_parent, b) for b in self._block], dtype=np.int64)
        family_of = np.zeros(count, dtype=np.int64)
        family_of[group_of_id] = blocks
        names, family_of = np.unique(family_of, return_inverse=True)
        reasons: list[str] = [""] * count
        for i, reason in self._frozen.items():
            reasons[group_of_id[i]] = reasons[group_of_id[i]] or reason
        return Groups(
            of_id=group_of_id.astype(np.int64),
            family=family_of.astype(np.int64),
            family_names=tuple(self._block_names[b] for b in names.tolist()),
            units=tuple(self._block_units[b] for b in names.tolist()),
            frozen=tuple(reasons),
        )

    @staticmethod
    def _find(parent: list[int], i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    @classmethod
    def _join(cls, parent: list[int], a: int, b: int) -> None:
        a, b = cls._find(parent, a), cls._find(parent, b)
        if a != b:
            parent[max(a, b)] = min(a, b)


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """What `ChannelSpace.close` returns.

    Attributes:
        of_id: (ids + 1,) the group of each id; the last one is that of `FIXED`.
        family: (groups,) the family of each group.
        family_names: for each family the layer that first made its channels.
        units: for each family what one of its groups stands for.
        frozen: (groups,) the reason why a group must stay; "" where it may go.
    """

    of_id: Ids
    family: Ids
    family_names: tuple[str, ...]
    units: tuple[str, ...]
    frozen: tuple[str, ...]

    def of(self, along: tuple[Ids | None, ...]) -> tuple[Ids | None, ...]:
        """The groups of the ids along each axis."""
        return tuple(None if ids is None else self.of_id[ids] for ids in along)
