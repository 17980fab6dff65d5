"""The charts of the course of single cells: attempts and goodput, conflict rate, p99 over time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.charts import panels, scales
from reports.charts.marks import Band, Chart, Line, Panel, Period, Shade, Sign, Tint
from reports.words import wording as words
from reports.words.metrics import is_comparable
from reports.words.series import cell_name, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reports.charts.scales import Axis
    from reports.words.series import Series
    from reports.words.wording import Cell

_MAX_PANELS = 6
_MIN_ATTEMPTS = 20
"""A bin with fewer attempts has no conflict rate: it would be chance."""
_PERIODS: tuple[tuple[Period, Sign, str], ...] = (
    ("warmup", "warmup", "warm-up, not counted"),
    ("unsettled", "unsettled", "before the rate of attempts settled"),
    ("stalled", "stalled", "the server stood still"),
)
_EDGE = 0.1

_Course = dict[str, Any]
"""`over_time` of a cell."""


def _per_second(course: Mapping[str, Any], name: str) -> list[float | None]:
    return [count / course["bin_s"] for count in course[name]]


def _rates(course: Mapping[str, Any]) -> list[float | None]:
    pairs = zip(course["conflicts"], course["attempts"], strict=True)
    return [conflicts / attempts if attempts >= _MIN_ATTEMPTS else None for conflicts, attempts in pairs]


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    title: str
    subtitle: str
    noun: str
    axis: Callable[[Iterable[float | None]], Axis]
    values: Callable[[_Course], list[float | None]]
    """The quantity of each bin."""
    meaning: str = ""
    upper: Callable[[_Course], list[float | None]] | None = None
    """Attempts, above the goodput: what lies between is wasted."""


_SPECS = (
    _Spec(
        "attempts-over-time",
        "Attempts and goodput over time",
        "",
        "goodput",
        lambda values: scales.amount_axis("per second", values, words.per_second),
        lambda course: _per_second(course, "committed"),
        "goodput: committed transactions",
        lambda course: _per_second(course, "attempts"),
    ),
    _Spec(
        "conflict-rate-over-time",
        "Conflict rate over time",
        "",
        "the rate",
        lambda values: scales.share_axis("conflicts per attempt", values),
        _rates,
    ),
    _Spec(
        "latency-over-time",
        "p99 latency over time",
        " A part of the time with fewer than 20 commits has no p99.",
        "p99",
        lambda values: scales.time_axis("p99 latency (logarithmic)", values),
        lambda course: list(course["latency_ms_p99"]),
    ),
)


def charts(all_series: Sequence[Series], cells: Sequence[Cell], foot: tuple[str, ...]) -> Iterator[Chart]:
    """Three charts of the same cells: of each line the one with the most conflicts; six lines at most.

    There are none if no cell has its course.
    """
    chosen = _chosen(all_series)
    for spec in _SPECS:
        if any(value is not None for cell in chosen for value in spec.values(cell["over_time"])):
            yield _chart(spec, chosen, cells, foot)


def _chosen(all_series: Sequence[Series]) -> list[Cell]:
    """The cells, in the order of their lines. Without conflicts it is the cell with the most users."""
    known = [[cell for cell in line.cells if cell.get("over_time")] for line in all_series]
    best = [max(line, key=_conflicts) for line in known if line]
    kept = sorted(best, key=_conflicts, reverse=True)[:_MAX_PANELS]
    return [cell for cell in best if any(cell is other for other in kept)]


def _conflicts(cell: Cell) -> tuple[bool, int, int]:
    return is_comparable(cell), int(cell["attempts"]["conflict"]), int(cell["users"])


def _chart(spec: _Spec, chosen: Sequence[Cell], cells: Sequence[Cell], foot: tuple[str, ...]) -> Chart:
    names = [cell_name(cell, cells) for cell in chosen]
    tints = [Tint(index, len(chosen)) for index in range(len(chosen))]
    drawn = tuple(
        _panel(spec, cell, name if len(chosen) > 1 else "", tint)
        for cell, name, tint in zip(chosen, names, tints, strict=True)
    )
    lines = [line for panel in drawn for line in panel.lines]
    banded = spec.upper is not None
    which = "" if len(chosen) == 1 else "For each line, the usable cell with the most conflicts."
    found = [said for cell, name in zip(chosen, names, strict=True) if (said := _found(spec, cell, name))]
    spans = [(cell["over_time"]["begin_s"], cell["seconds"]) for cell in chosen]
    return Chart(
        name=spec.name,
        title=spec.title,
        subtitle=f"{which}{spec.subtitle}{_unsettled(chosen, names)} {found[-1] if found else ''}".strip(),
        footer=foot,
        x=scales.second_axis(
            "seconds (measured from 0 on)", min(low for low, _ in spans), max(high for _, high in spans)
        ),
        y=spec.axis(panels.extent(lines)),
        panels=drawn,
        key=(*panels.key(lines, named=False, banded=banded), *_signs(drawn)),
        alt=" ".join([f"{spec.title}.", *found]),
    )


def _panel(spec: _Spec, cell: Cell, title: str, tint: Tint) -> Panel:
    course = cell["over_time"]
    bins = range(len(course["attempts"]))
    x = tuple(round(course["begin_s"] + (number + 0.5) * course["bin_s"], 2) for number in bins)
    drawn = _line(cell, x, spec.values(course), tint, spec.meaning)
    if spec.upper is None:
        return Panel(title, (drawn,), shades=tuple(_shades(cell)))
    upper = _line(cell, x, spec.upper(course), tint, "attempts", dotted=True)
    band = Band(drawn.label, x, drawn.y, upper.y, tint)
    return Panel(title, (drawn, upper), (band,), shades=tuple(_shades(cell)))


def _line(
    cell: Cell, x: tuple[float, ...], y: list[float | None], tint: Tint, meaning: str, *, dotted: bool = False
) -> Line:
    absent = (None,) * len(x)
    return Line(
        label=label_of(cell),
        x=x,
        y=tuple(y),
        low=absent,
        high=absent,
        hollow=(not is_comparable(cell),) * len(x),
        tint=tint,
        stroke="dotted" if dotted else "solid",
        meaning=meaning,
        dense=True,
    )


def _shades(cell: Cell) -> Iterator[Shade]:
    if cell["over_time"]["begin_s"] < 0:
        yield Shade(cell["over_time"]["begin_s"], 0.0, "warmup")
    if _is_unsettled(cell):
        yield Shade(0.0, cell["unsettled_s"], "unsettled")
    for silence in cell.get("silences") or ():
        yield Shade(silence["begin_s"], silence["end_s"], "stalled")


def _is_unsettled(cell: Cell) -> bool:
    """Whether the cell had not settled in time; MSER-5 drops something from steady cells too."""
    return bool(cell.get("unsettled_s")) and any(
        warning["code"] == "not_steady" for warning in cell["warnings"]
    )


def _signs(drawn: Iterable[Panel]) -> Iterator[tuple[Sign, str]]:
    periods = {shade.period for panel in drawn for shade in panel.shades}
    return ((sign, meaning) for period, sign, meaning in _PERIODS if period in periods)


def _unsettled(chosen: Sequence[Cell], names: Sequence[str]) -> str:
    said = [
        f"{name} settled after {cell['unsettled_s']:.1f} s"
        for cell, name in zip(chosen, names, strict=True)
        if _is_unsettled(cell)
    ]
    return f" Not steady: {'; '.join(said)}." if said else ""


def _found(spec: _Spec, cell: Cell, name: str) -> str:
    """Between which values four fifths of the measured bins lay."""
    course = cell["over_time"]
    warmup = round(-course["begin_s"] / course["bin_s"])
    values = sorted(value for value in spec.values(course)[warmup:] if value is not None)
    if not values:
        return ""
    write = spec.axis([]).write
    cut = int(len(values) * _EDGE)
    low, high = write(values[cut]), write(values[-1 - cut])
    span = low if low == high else f"{low} to {high}"
    return f"With {name}, {spec.noun} was {span} in most bins of {course['bin_s']:.3g} s."
