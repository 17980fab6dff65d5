"""The elements of a chart, as values that are independent of any drawing library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from reports.charts.scales import Axis

Stroke = Literal["solid", "dotted", "faint"]
Numbers = tuple[float | None, ...]
Sign = Literal[
    "point",
    "solid",
    "dotted",
    "dashed",
    "large",
    "small",
    "hollow",
    "repeat",
    "band",
    "front",
    "warmup",
    "unsettled",
    "stalled",
    "pale",
]
Period = Literal["warmup", "unsettled", "stalled"]
"""A part of a cell's time: the warm-up, the part before the rate settled, a silence of the server."""
Side = Literal["above", "right", "below", "left"]


@dataclass(frozen=True, slots=True)
class Tint:
    """A colour: number `index` of the `count` that the chart needs, from cool (spread out) to hot."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line: tuples of equal length over x. An absent y is a gap."""

    label: str
    x: tuple[float, ...]
    y: Numbers
    low: Numbers
    high: Numbers
    """95 % interval; absent if the quantity has none."""
    hollow: tuple[bool, ...]
    """Which points are not usable or mostly rejected; they are drawn hollow."""
    tint: Tint
    stroke: Stroke = "solid"
    meaning: str = ""
    """The quantity of this line, if the chart has several lines per series: `p50`, `attempts`."""
    predicted_x: tuple[float, ...] = ()
    predicted_y: tuple[float, ...] = ()
    """The closed form, drawn dashed in the line's colour."""
    repeats: tuple[tuple[float, float, bool], ...] = ()
    """Each repeat as (x, y, hollow), if there are several. The line joins the medians."""
    remarks: tuple[str, ...] = ()
    """A remark on each point, for hover texts and `alt`; empty if there are none."""
    notes: tuple[Note, ...] = ()
    """Texts beside points, already clear of each other."""
    dense: bool = False
    """Whether it has so many points that each is drawn small."""


@dataclass(frozen=True, slots=True)
class Note:
    """A short text beside a point."""

    x: float
    y: float
    text: str
    side: Side


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded area between two curves."""

    label: str
    """Of the line that it belongs to."""
    x: tuple[float, ...]
    low: Numbers
    high: Numbers
    tint: Tint


@dataclass(frozen=True, slots=True)
class Shade:
    """A period of the x axis that is shaded over the whole height."""

    low: float
    high: float
    period: Period


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of every stack: tuples of equal length over x, each from `low` to `high`."""

    label: str
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    pale: tuple[bool, ...]
    """Which stacks are not usable or mostly rejected; they are drawn pale."""
    tint: Tint | None
    """None is grey, for the rest."""
    remarks: tuple[str, ...]
    """A text on each part, for hover texts."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of a heatmap, at whole numbers x and y."""

    x: int
    y: int
    text: str
    """The value in a few characters."""
    value: str
    """The value with its unit."""
    strength: float
    """How strong its colour is, from 0 to 1."""
    hollow: bool
    """Not usable or mostly rejected: an outline without a filling."""
    remark: str
    """For hover texts."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    fronts: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Pareto fronts: points (x, y) that no other point of their skew beats; drawn ringed and joined."""
    curve: tuple[tuple[float, float], ...] = ()
    """A closed form that belongs to all lines; drawn dashed in grey."""
    shades: tuple[Shade, ...] = ()
    bars: tuple[Bar, ...] = ()
    """The parts of stacks, from the lowest up."""
    tiles: tuple[Tile, ...] = ()
    tint: Tint = Tint(0, 1)
    """Of the tiles."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of one or more panels that share their axes."""

    name: str
    """Stem of its file."""
    title: str
    subtitle: str
    footer: tuple[str, ...]
    """Target, scenario, keys, retry policy and loop; then the origin of the figures."""
    x: Axis
    y: Axis
    panels: tuple[Panel, ...]
    key: tuple[tuple[Sign, str], ...]
    """The signs that the chart uses, and their meanings."""
    alt: str
    """The chart in a sentence, for readers who cannot see it."""
    scatter: bool = False
    """Whether x is a measured value too, so that lines may end anywhere."""
    compact: Chart | None = None
    """The same chart for the overview, with fewer lines and panels; None if this one fits."""
