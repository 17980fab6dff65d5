"""What the Contention tab shows at an instant, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotrow.keys.spaces import Spaces
from hotrow.load.live.history import evenness, figures, point_figures
from hotrow.run.plan import planned_seconds

if TYPE_CHECKING:
    from hotrow.keys.table import Table
    from hotrow.load.live.digest import Sample
    from hotrow.load.live.history import History, Point, Span
    from hotrow.load.live.spectator import Spectator, Watched
    from hotrow.run.plan import Cell

MAX_KEYS = 10
"""The most keys that are listed."""
MAX_CELLS = 200
"""The most cells that are marked on the charts, the last ones."""
COLUMNS = (
    "conflict_rate",
    "attempts_per_s",
    "goodput_per_s",
    "retry_rate",
    "give_up_rate",
    "latency_ms_p50",
    "latency_ms_p99",
    "attempt_ms_p50",
    "attempt_ms_p99",
    "jain",
)
"""The figures of a point, after the second at which it ends and its cell."""
_DIGITS = 5


NOTHING_KNOWN = ("", -1, 0)


def snapshot(spectator: Spectator, known: tuple[str, int, int] = NOTHING_KNOWN) -> dict[str, Any]:
    """The state of the run that is shown, and its points.

    `known` is (name of the run, `epoch`, number of points) of an earlier snapshot: if its points have not
    changed since then, they are left out, and `first` is the number of the first point that is given.
    """
    watched = spectator.watched
    if watched is None:
        return {"state": "none"}
    spectator.update_forecast()
    history, now_s = watched.history, spectator.now_s()
    name, epoch, count = known
    is_same = (name, epoch) == (watched.directory.name, history.epoch)
    first = min(max(0, count), len(history.points)) if is_same else 0
    content: dict[str, Any] = {
        "state": state_of(watched),
        "run": watched.directory.name,
        "now": now_s - watched.began_s,
        "epoch": history.epoch,
        "first": first,
        "columns": COLUMNS,
        "points": [_point(point, watched.began_s) for point in history.points[first:]],
        "cells": [_span(span, watched) for span in list(history.spans.values())[-MAX_CELLS:]],
    }
    cell = watched.cell
    if cell is None:
        return content
    span = history.spans[cell.id]
    return {
        **content,
        "facts": facts(watched, cell, span.users, spectator.table(cell)),
        "left": seconds_left(watched, cell, span, now_s),
        **_figures_of(history, span, spectator.table(cell)),
        "expected": dict(watched.forecasts.get(cell.id, {})),
    }


def state_of(watched: Watched) -> str:
    """In which state the run is: `connecting`, `warm-up`, `measured`, `closing` or `ended`."""
    span = None if watched.cell is None else watched.history.spans[watched.cell.id]
    if watched.ended_s is not None:
        return "ended"
    if span is None:
        return "connecting"
    if span.closed_s is not None:
        return "closing"
    return "warm-up" if span.begun_s is None else "measured"


def _figures_of(history: History, span: Span, layout: Table | Spaces | None) -> dict[str, Any]:
    """The figures of the last seconds and of the whole measured interval, and the hottest keys of both."""
    recent, recent_s = history.recent(span.cell)
    return {
        "recent": _rounded({**figures(recent, recent_s), "jain": evenness(recent.commits, span.users)}),
        "whole": _rounded(
            {
                **figures(span.total, history.measured_s(span.cell)),
                "jain": evenness(span.total.commits, span.users),
            }
        ),
        "attempts": int(span.total["attempts"]),
        "errors": int(span.total["failed"]),
        "unknown": int(span.total["unknown"]),
        "keys": hottest(span.total if span.begun_s is not None else recent, recent, layout),
    }


def hottest(whole: Sample, recent: Sample, layout: Table | Spaces | None = None) -> list[dict[str, Any]]:
    """The keys with the most conflicts of the cell, and their shares of all conflicts that have a key."""
    in_recent = dict(zip(recent.keys.numbers.tolist(), recent.keys.counts.tolist(), strict=True))
    whole_total, recent_total = whole.keys.total, recent.keys.total
    return [
        {
            "key": key,
            "name": _name(key, layout),
            "conflicts": count,
            "whole": count / whole_total,
            "recent": in_recent.get(key, 0) / recent_total if recent_total else None,
        }
        for key, count in whole.keys.ranked(MAX_KEYS)
    ]


def _name(key: int, layout: Table | Spaces | None) -> str:
    """A key in the words of the report: `key 3`, or with its key space `branch 3`."""
    space, number = layout.name_of(key) if isinstance(layout, Spaces) else ("key", key)
    return f"{space} {number}"


def facts(watched: Watched, cell: Cell, users: int, table: Table | Spaces | None) -> list[tuple[str, str]]:
    """(name, value) of the settings of a cell, in the words of the report."""
    from reports.words import wording as words  # noqa: PLC0415 - only if someone looks

    skew = words.skew_words(cell.as_json())
    d_eff = [] if table is None else [("equally likely rows", words.d_eff(table.d_eff))]
    varied = [(name.replace("_", " "), words.plain(value)) for name, value in cell.knobs.items()]
    return [
        ("scenario", watched.scenario),
        ("skew", skew),
        *d_eff,
        ("keys", words.count(cell.keys)),
        ("retry", cell.retry if cell.retry == "none" else f"{cell.retry}, {words.redraw_words(cell.redraw)}"),
        ("users", words.users(users)),
        *varied,
        ("target", str(watched.target.get("label", ""))),
        ("cell", f"{cell.id + 1} of {max(len(watched.cells), cell.id + 1)}"),
    ]


def seconds_left(watched: Watched, cell: Cell, span: Span, now_s: float) -> dict[str, float | None]:
    """Seconds until the end of the cell and of the run, as planned; None if nothing ends them by itself."""
    if watched.ended_s is not None:
        return {"cell": None, "run": None}
    if cell.duration_s is None:
        opened_s = min((one.opened_s for one in watched.history.spans.values()), default=now_s)
        left_s = None if watched.run_time_s is None else max(0.0, opened_s + watched.run_time_s - now_s)
        return {"cell": left_s, "run": left_s}
    cell_s = max(0.0, span.opened_s + cell.warmup_s + cell.duration_s - now_s)
    return {"cell": cell_s, "run": cell_s + planned_seconds(watched.cells[cell.id + 1 :])}


def _point(point: Point, began_s: float) -> list[float | None]:
    shown = _rounded(point_figures(point))
    return [round(point.end_s - began_s, 3), point.cell, *(shown[name] for name in COLUMNS)]


def _span(span: Span, watched: Watched) -> dict[str, Any]:
    """A cell as a mark on the charts, in seconds since the run began."""
    begun, closed = (None if at is None else at - watched.began_s for at in (span.begun_s, span.closed_s))
    return {
        "cell": span.cell,
        "opened": span.opened_s - watched.began_s,
        "begun": begun,
        "closed": closed,
        "expected": dict(watched.forecasts.get(span.cell, {})),
    }


def _rounded(values: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(f"{value:.{_DIGITS}g}") for name, value in values.items()}
