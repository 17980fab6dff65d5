"""The positions of things on a picture: pure arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in inches, from the lower left."""

    left: float
    bottom: float
    width: float
    height: float


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    beside = one.left + one.width <= other.left or other.left + other.width <= one.left
    above = one.bottom + one.height <= other.bottom or other.bottom + other.height <= one.bottom
    return not (beside or above)


def columns(panels: int) -> int:
    """How many panels are beside each other: up to four. More panels fill several rows evenly."""
    rows = -(-panels // _MAX_COLUMNS)
    return -(-panels // max(rows, 1))


def grid(inner: Box, panels: int, gap_x: float, gap_y: float) -> list[Box]:
    """Divide an area into equal boxes, row by row from the upper left."""
    across = columns(panels)
    down = -(-panels // across)
    width = (inner.width - gap_x * (across - 1)) / across
    height = (inner.height - gap_y * (down - 1)) / down
    return [
        Box(
            inner.left + (index % across) * (width + gap_x),
            inner.bottom + (down - 1 - index // across) * (height + gap_y),
            width,
            height,
        )
        for index in range(panels)
    ]


def spread(middles: Sequence[float], sizes: Sequence[float], bounds: tuple[float, float]) -> list[float]:
    """Move labels apart until none touches another: as little as possible, in their order, within bounds.

    Neighbours that touch are pooled and centred on the mean of their middles (pool adjacent violators, as in
    isotonic regression: Barlow et al. 1972). If there is no room for all, they exceed the upper bound.

    Args:
        middles: the wanted middle of each label.
        sizes: the height of each label.
        bounds: the lowest and highest position of a label's edge.

    Returns:
        The middle of each label, in the order of `middles`.
    """
    low, high = bounds
    order = sorted(range(len(middles)), key=lambda index: middles[index])
    offsets = _offsets([sizes[index] for index in order])
    fitted = _isotonic([middles[index] - offset for index, offset in zip(order, offsets, strict=True)])
    highest = high - sum(sizes)
    starts = [max(min(at, highest), low) for at in fitted]
    moved = {index: at + offset for index, at, offset in zip(order, starts, offsets, strict=True)}
    return [moved[index] for index in range(len(middles))]


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, of at most `width` characters each.

    Lines break after spaces and commas, but not within `1,000`, `1,000 keys` or `D_eff 84`. Words longer than
    a line also break after hyphens. A longer word without hyphens stays whole.
    """
    lines = [""]
    parts = re.split(r"(?<=,)(?!\d)|(?<= )(?<!D_eff )(?!keys\b)", text)
    broken = ([part] if len(part) <= width else re.split("(?<=-)", part) for part in parts)
    for part in (piece for pieces in broken for piece in pieces):
        if lines[-1] and len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.strip() for line in lines]


def rows(widths: Sequence[float], room: float) -> list[list[int]]:
    """The indices of entries by row, in their order. Rows fit `room`; an entry that is too wide is alone."""
    filled: list[list[int]] = []
    used = room
    for index, width in enumerate(widths):
        used += width
        if not filled or used > room:
            filled.append([])
            used = width
        filled[-1].append(index)
    return filled


def _offsets(sizes: Sequence[float]) -> list[float]:
    """The height of each label's middle above the first one's lower edge if the labels are stacked."""
    return [sum(sizes[:rank]) + size / 2 for rank, size in enumerate(sizes)]


def _isotonic(values: Sequence[float]) -> list[float]:
    """The nondecreasing values nearest to these in least squares."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (before, before_size), (mean, size) = pools[-2:]
            total = before_size + size
            pools[-2:] = [((before * before_size + mean * size) / total, total)]
    return [mean for mean, size in pools for _ in range(size)]
