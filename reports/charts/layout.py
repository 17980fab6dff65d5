"""Where things stand on a picture: pure arithmetic on places."""

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
    """How many panels stand beside each other: up to four; more are dealt into rows, evenly filled."""
    rows = -(-panels // _MAX_COLUMNS)
    return -(-panels // max(rows, 1))


def grid(inner: Box, panels: int, gap_x: float, gap_y: float) -> list[Box]:
    """Deal an area into equal boxes, row by row from the upper left."""
    across = columns(panels)
    down = -(-panels // across)
    width = (inner.width - gap_x * (across - 1)) / across
    height = (inner.height - gap_y * (down - 1)) / down
    return [
        Box(
            inner.left + (place % across) * (width + gap_x),
            inner.bottom + (down - 1 - place // across) * (height + gap_y),
            width,
            height,
        )
        for place in range(panels)
    ]


def spread(places: Sequence[float], sizes: Sequence[float], bounds: tuple[float, float]) -> list[float]:
    """Move labels apart until none touches another, as little as possible, in their order, within bounds.

    Neighbours that touch are pooled and centred on the mean of their places (pool adjacent violators, as in
    isotonic regression: Barlow et al. 1972). Where there is no room for all, they run over the upper bound.

    Args:
        places: where each label's middle should be.
        sizes: how much room each label takes.
        bounds: lowest and highest place that a label's edge may have.
    """
    low, high = bounds
    order = sorted(range(len(places)), key=lambda index: places[index])
    offsets = _offsets([sizes[index] for index in order])
    fitted = _isotonic([places[index] - offset for index, offset in zip(order, offsets, strict=True)])
    most = high - sum(sizes)
    starts = [max(min(at, most), low) for at in fitted]
    moved = {index: at + offset for index, at, offset in zip(order, starts, offsets, strict=True)}
    return [moved[index] for index in range(len(places))]


def wrapped(text: str, width: int) -> list[str]:
    """Break into lines of at most `width` characters.

    Breaks stand after spaces and commas, but not within `1,000`, `1,000 keys` or `D_eff 84`; in words
    that are longer than a line also after hyphens. What has none stays whole.
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
    """Deal entries into rows that fit `room`, in their order; one that is too wide has a row of its own."""
    dealt: list[list[int]] = []
    used = room
    for index, width in enumerate(widths):
        used += width
        if not dealt or used > room:
            dealt.append([])
            used = width
        dealt[-1].append(index)
    return dealt


def _offsets(sizes: Sequence[float]) -> list[float]:
    """How far each label's middle lies above the first one's lower edge when they are stacked."""
    return [sum(sizes[:rank]) + size / 2 for rank, size in enumerate(sizes)]


def _isotonic(values: Sequence[float]) -> list[float]:
    """The nondecreasing values nearest to these in least squares."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (before, many), (mean, size) = pools[-2:]
            pools[-2:] = [((before * many + mean * size) / (many + size), many + size)]
    return [mean for mean, size in pools for _ in range(size)]
