"""The elements of a chart, as values that are independent of any drawing library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from reports.charts.scales import Axis

Stroke = Literal["solid", "dotted", "faint"]
Numbers = tuple[float | None, ...]
Sign = Literal["point", "solid", "dotted", "dashed", "large", "small", "hollow", "repeat", "band", "front"]
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
class Panel:
    """One pair of axes."""

    title: str
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    fronts: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Pareto fronts: points (x, y) that no other point of their skew beats; drawn ringed and joined."""


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
