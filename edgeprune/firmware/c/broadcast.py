"""Shapes folded to few dimensions, so that one set of nested loops serves every op."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprune.firmware.c.layer import Site


@dataclass(frozen=True, kw_only=True, slots=True)
class Loops:
    """Nested loops over several arrays at once.

    Attributes:
        sizes: iterations of each loop, outermost first.
        strides: for each array, elements from one iteration of each loop to the next.
    """

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]


def row_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements between neighbours along each dimension of a contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def broadcast_strides(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Strides of a contiguous array that is repeated along some dimensions to fill the target."""
    padded = (1,) * (len(target) - len(shape)) + tuple(shape)
    return tuple(0 if size == 1 else step for size, step in zip(padded, row_strides(padded), strict=True))


def fold_loops(site: Site, loops: Loops, *, to: int) -> Loops:
    """The same iterations in exactly `to` loops: neighbours that run on into each other become one.

    Raises:
        OpError: there are more left.
    """
    sizes: list[int] = []
    strides: list[list[int]] = [[] for _ in loops.strides]
    for place, size in enumerate(loops.sizes):
        if size == 1:
            continue
        steps = [array[place] for array in loops.strides]
        if sizes and all(mine[-1] == step * size for mine, step in zip(strides, steps, strict=True)):
            sizes[-1] *= size
            for mine, step in zip(strides, steps, strict=True):
                mine[-1] = step
            continue
        sizes.append(size)
        for mine, step in zip(strides, steps, strict=True):
            mine.append(step)
    missing = to - len(sizes)
    if missing < 0:
        raise site.refuse(f"its shapes need {len(sizes)} nested loops, the C engine has {to}")
    return Loops(
        sizes=(1,) * missing + tuple(sizes),
        strides=tuple((0,) * missing + tuple(mine) for mine in strides),
    )


def name_reduction(site: Site, axes: Sequence[int]) -> dict[str, int]:
    """Values for a template that goes over dimensions of the input: those that are kept, then the others.

    Raises:
        OpError: there is no such dimension, or either needs more than three nested loops.
    """
    shape = site.input().shape
    gone = {site.place_axis(axis, len(shape)) for axis in axes}
    strides = row_strides(shape)
    kept, summed = (
        fold_loops(
            site,
            Loops(
                sizes=tuple(shape[axis] for axis in axes), strides=(tuple(strides[axis] for axis in axes),)
            ),
            to=3,
        )
        for axes in (
            [axis for axis in range(len(shape)) if axis not in gone],
            [axis for axis in range(len(shape)) if axis in gone],
        )
    )
    return name_loops(
        kept=kept.sizes,
        kept_stride=kept.strides[0],
        summed=summed.sizes,
        summed_stride=summed.strides[0],
    )


def name_loops(**groups: Sequence[int]) -> dict[str, int]:
    """Values for a template: `left=(5, 1)` gives {"left_0": 5, "left_1": 1}, and `n=` gives "n0", "n1"."""
    return {
        f"{name}{place}" if name == "n" else f"{name}_{place}": value
        for name, values in groups.items()
        for place, value in enumerate(values)
    }
