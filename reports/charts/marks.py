"""What a chart is made of, as values that know no drawing library."""

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
    """A colour: number `index` of the `places` that the chart needs, from cool (spread out) to hot."""

    index: int
    places: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line: equally long tuples over x; an absent y is a gap."""

    label: str
    x: tuple[float, ...]
    y: Numbers
    low: Numbers
    high: Numbers
    """95 % interval; absent where the quantity has none."""
    hollow: tuple[bool, ...]
    """Points that are not usable (the client was the bottleneck): drawn hollow."""
    tint: Tint
    stroke: Stroke = "solid"
    meaning: str = ""
    """What this line shows where a chart has several lines a series: `p50`, `attempts`."""
    predicted_x: tuple[float, ...] = ()
    predicted_y: tuple[float, ...] = ()
    """The closed form, drawn dashed in the line's colour."""
    repeats: tuple[tuple[float, float, bool], ...] = ()
    """Every repeat as (x, y, hollow), where there are several; the line joins the middle ones."""
    told: tuple[str, ...] = ()
    """What else is told about each point where there is room for a word; none where there is nothing."""
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
    """Points (x, y) that no other point of their skew beats in both; drawn ringed and joined."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of one or more panels that share their axes."""

    name: str
    """Stem of its file."""
    title: str
    subtitle: str
    footer: tuple[str, ...]
    """Target, scenario, keys, retry policy and loop; then where the figures come from."""
    x: Axis
    y: Axis
    panels: tuple[Panel, ...]
    key: tuple[tuple[Sign, str], ...]
    """Signs that the chart uses and what they mean."""
    alt: str
    """The chart in a sentence, for those who do not see it."""
    scatter: bool = False
    """Whether x is measured too: each point stands for itself, and lines do not end at one side."""
    compact: Chart | None = None
    """The same for an overview, with fewer lines and panels; None where this one will do."""
