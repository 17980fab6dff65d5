"""The figures of a run over time: one point per second and cell, and the total of each measured interval.

A second is complete if every worker has sent a digest that ends after it. If a worker is silent, the second
counts as complete after `PATIENCE_S`. Only complete seconds are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.fairness import jain
from hotrow.load.live.digest import EMPTY, Sample, add
from hotrow.load.live.frequencies import added, quantiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hotrow.load.live.digest import Row
    from hotrow.load.live.frequencies import Frequencies

RECENT_S = 10
"""How many seconds `recent` covers."""
PATIENCE_S = 4
"""After this many seconds a second is complete, even if a worker has not sent its digest."""
MAX_POINTS = 600
"""With more points, neighbours of the same cell become one point. If that is not enough, the oldest go."""
MAX_KEYS = 5_000
"""The most keys whose conflicts a total counts; those with the fewest are forgotten."""
_MIN_LENGTH_S = 0.3
"""A shorter part of a second gives no point: its rates are noise. Its attempts count in the totals."""


@dataclass(slots=True)
class Span:
    """The time of one cell, in seconds since 1970 (UTC)."""

    cell: int
    users: int
    opened_s: float
    interval: int = 0
    """The number of its measured interval; 0 before it began."""
    begun_s: float | None = None
    closed_s: float | None = None
    total: Sample = EMPTY
    """The attempts of the measured interval, up to the last complete second."""


@dataclass(frozen=True, eq=False, slots=True)
class Point:
    """The attempts of one cell that ended in [begin_s, end_s), and the fairness of the last seconds."""

    cell: int
    begin_s: float
    end_s: float
    users: int
    sample: Sample
    fairness: float | None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.begin_s


@dataclass(eq=False, slots=True)
class History:
    """What happened so far in one run."""

    workers: int
    """How many workers send digests."""
    spans: dict[int, Span] = field(default_factory=dict)
    """By cell id, in the order in which the cells were opened."""
    points: list[Point] = field(default_factory=list)
    epoch: int = 0
    """Increases if earlier points change."""
    _open: dict[int, dict[int, list[Row]]] = field(default_factory=dict)
    """The rows of seconds that are not complete: by second, by cell."""
    _until: dict[int, int] = field(default_factory=dict)
    """By worker: the second in which its last digest was made."""
    _complete: int = 0
    """The first second that is not complete."""
    _recent: list[Point] = field(default_factory=list)

    def open_cell(self, cell: int, users: int, now_s: float) -> None:
        """A cell is open from now on; its attempts are its warm-up."""
        for span in self.spans.values():
            span.total = Sample(span.total.sums, window=span.total.window)  # as much as a forecast needs
        self.spans[cell] = Span(cell, users, now_s)

    def begin_interval(self, cell: int, number: int, users: int, now_s: float) -> None:
        """The measured interval of a cell begins, or begins again."""
        span = self.spans[cell]
        span.interval, span.users, span.begun_s, span.total = number, users, now_s, EMPTY

    def end_cell(self, cell: int, begin_s: float, end_s: float) -> None:
        """The measured interval of a cell has ended; attempts in flight still count in it."""
        self.spans[cell].begun_s, self.spans[cell].closed_s = begin_s, end_s

    def close_cell(self) -> None:
        """All digests of the cell that ended have come: its total is final."""
        self._complete_until(max(self._open, default=self._complete - 1) + 1)

    def hear(self, worker: int, until: int, rows: Iterable[Row]) -> None:
        """A digest of one worker has come; `until` is the second in which it was made."""
        for row in rows:
            second = max(row.second, self._complete)  # if it was too late, it counts in the next point
            self._open.setdefault(second, {}).setdefault(row.cell, []).append(row)
        self._until[worker] = max(until, self._until.get(worker, 0))
        slowest = min(self._until.values()) if len(self._until) >= self.workers else 0
        self._complete_until(max(slowest, max(self._until.values()) - PATIENCE_S))

    def recent(self, cell: int) -> tuple[Sample, float]:
        """The last seconds of a cell, warm-up included, and how many seconds they are."""
        points = self._recent_of(cell)
        return add(point.sample for point in points), sum(point.seconds for point in points)

    def measured_s(self, cell: int) -> float:
        """How long the measured interval of a cell is, as far as its total covers it."""
        span = self.spans[cell]
        if span.begun_s is None:
            return 0.0
        end_s = float(self._complete) if span.closed_s is None else span.closed_s
        return max(0.0, end_s - span.begun_s)

    def _complete_until(self, end: int) -> None:
        """Make points of all seconds before `end`, also of those without an attempt."""
        latest = list(self.spans.values())[-2:]
        begin = self._complete or min((int(span.opened_s) for span in latest), default=end)
        for second in range(begin, end):
            rows = self._open.pop(second, {})
            spanning = {span.cell for span in latest if _meets(span, second)}
            for cell in sorted(spanning | rows.keys()):
                self._note(second, cell, rows.get(cell, []))
            if len(self.points) > MAX_POINTS:
                self.points = joined(self.points)[-MAX_POINTS * 3 // 4 :]
                self.epoch += 1
        self._complete = max(self._complete, end)

    def _note(self, second: int, cell: int, rows: Sequence[Row]) -> None:
        span = self.spans.get(cell)
        if span is None:
            return
        measured = [row.sample for row in rows if span.interval and row.interval == span.interval]
        total = add([span.total, *measured])
        span.total = replace(total, keys=total.keys.most(MAX_KEYS))
        begin_s = max(float(second), span.opened_s)
        end_s = min(float(second + 1), span.closed_s or float(second + 1))
        if end_s - begin_s < _MIN_LENGTH_S:
            return
        sample = add(row.sample for row in rows)
        point = Point(cell, begin_s, end_s, span.users, sample, None)
        self._recent = [*self._recent[1 - RECENT_S :], point]
        commits = added(one.sample.commits for one in self._recent_of(cell))
        slim = Sample(sample.sums, sample.latency, sample.attempt)  # only recent points need keys and users
        self.points.append(Point(cell, begin_s, end_s, span.users, slim, evenness(commits, span.users)))

    def _recent_of(self, cell: int) -> list[Point]:
        return [point for point in self._recent if point.cell == cell]


def _meets(span: Span, second: int) -> bool:
    """Whether a cell was open in a part of this second."""
    return span.opened_s < second + 1 and (span.closed_s is None or span.closed_s > second)


def joined(points: Sequence[Point]) -> list[Point]:
    """Half as many points: each joins two neighbours of the same cell."""
    result: list[Point] = []
    pair = False
    for point in points:
        if pair and result[-1].cell == point.cell:
            result[-1] = _join(result[-1], point)
            pair = False
        else:
            result.append(point)
            pair = True
    return result


def _join(first: Point, second: Point) -> Point:
    sample = add([first.sample, second.sample])
    return Point(first.cell, first.begin_s, second.end_s, second.users, sample, second.fairness)


def evenness(commits: Frequencies, users: int) -> float | None:
    """Jain's index of the users' commits; None for a single user, and without commits."""
    count = max(users, len(commits.numbers))
    shares = np.zeros(count, np.int64)
    shares[: len(commits.numbers)] = commits.counts
    return jain(shares) if count > 1 else None


def figures(sample: Sample, seconds: float) -> dict[str, float | None]:
    """The figures of a sample, by the same definitions as in summary.json; None if one is absent."""
    latency_p50, latency_p99 = quantiles(sample.latency, (0.5, 0.99))
    attempt_p50, attempt_p99 = quantiles(sample.attempt, (0.5, 0.99))
    return {
        "conflict_rate": _ratio(sample["conflicts"], sample["attempts"]),
        "attempts_per_s": _ratio(sample["attempts"], seconds),
        "goodput_per_s": _ratio(sample["committed"], seconds),
        "retry_rate": _ratio(sample["retries"], sample["finished"]),
        "give_up_rate": _ratio(sample["gave_up"], sample["finished"]),
        "error_rate": _ratio(sample["failed"], sample["finished"]),
        "latency_ms_p50": latency_p50,
        "latency_ms_p99": latency_p99,
        "attempt_ms_p50": attempt_p50,
        "attempt_ms_p99": attempt_p99,
        "wasted_share": _ratio(sample["wasted_ms"], sample["spent_ms"]),
    }


def point_figures(point: Point) -> dict[str, Any]:
    """The figures of a point."""
    return {**figures(point.sample, point.seconds), "jain": point.fairness}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
