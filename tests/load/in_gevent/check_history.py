"""The history of a run: when a second is complete, the totals of cells, and the bound on its points."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.load.live import history as history_module
from hotrow.load.live.digest import SUMS, Row, Sample
from hotrow.load.live.frequencies import Frequencies
from hotrow.load.live.history import History, point_figures

T = 1_000
"""A second since 1970; cells open at its begin."""


def row(second: int, attempts: int, *, cell: int = 0, interval: int = 1, users: tuple[int, ...] = ()) -> Row:
    """Attempts that all committed, by these users."""
    sums = np.zeros(len(SUMS))
    for name in ("attempts", "committed", "finished"):
        sums[SUMS.index(name)] = attempts
    return Row(cell, second, interval, Sample(sums, commits=Frequencies.of(np.array(users, dtype=np.int64))))


def opened(workers: int = 1, *, interval: int = 1) -> History:
    """A history whose cell 0, of two users, opens and is measured at `T`."""
    made = History(workers)
    made.open_cell(0, 2, float(T))
    made.begin_interval(0, interval, 2, float(T))
    return made


def attempts(history: History) -> list[float]:
    return [point.sample["attempts"] for point in history.points]


def test_a_second_is_complete_when_every_worker_has_gone_past_it() -> None:
    """Until then its rates would be too low."""
    history = opened(workers=2)

    history.hear(0, T + 1, [row(T, 10)])
    before = attempts(history)
    history.hear(1, T + 1, [row(T, 30)])

    assert before == []
    assert attempts(history) == [40]
    assert point_figures(history.points[0])["goodput_per_s"] == 40


def test_a_silent_worker_does_not_hold_up_the_others() -> None:
    """After a few seconds its share is missing, and the others are shown."""
    history = opened(workers=2)
    history.hear(1, T, [])

    history.hear(0, T + history_module.PATIENCE_S + 1, [row(T, 10), row(T + 1, 20)])

    assert attempts(history) == [10]


def test_a_second_without_attempts_is_a_point_of_zero() -> None:
    """A server that stands still is seen as a rate of 0, not as a line between its neighbours."""
    history = opened()

    history.hear(0, T + 3, [row(T, 10), row(T + 2, 10)])

    assert attempts(history) == [10, 0, 10]


def test_the_total_is_of_the_measured_interval_alone() -> None:
    """Attempts that began in the warm-up are in the points and not in the total."""
    history = opened()

    history.hear(0, T + 2, [row(T, 10, interval=0), row(T, 5), row(T + 1, 7)])

    assert attempts(history) == [15, 7]
    assert history.spans[0].total["attempts"] == 12
    assert history.measured_s(0) == 2


def test_an_interval_that_begins_again_forgets_the_first() -> None:
    """The number of users was changed while they connected."""
    history = opened()
    history.hear(0, T + 1, [row(T, 10)])

    history.begin_interval(0, 2, 4, T + 1.0)
    history.hear(0, T + 2, [row(T + 1, 3, interval=1), row(T + 1, 4, interval=2)])

    assert history.spans[0].total["attempts"] == 4


def test_the_last_part_of_a_second_counts_with_its_length() -> None:
    """A cell that ends in the middle of a second has no dip at its end; what is in flight is in the total."""
    history = opened()

    history.end_cell(0, float(T), T + 1.5)
    history.hear(0, T + 1, [row(T, 10), row(T + 1, 6), row(T + 2, 1)])
    history.close_cell()

    assert [point_figures(point)["attempts_per_s"] for point in history.points] == [10, 12]
    assert history.spans[0].total["attempts"] == 17
    assert history.measured_s(0) == 1.5


def test_two_cells_in_one_second_are_two_points() -> None:
    """Each has its own length."""
    history = opened()
    history.end_cell(0, float(T), T + 0.5)
    history.open_cell(1, 2, T + 0.6)

    history.hear(0, T + 1, [row(T, 5), row(T, 8, cell=1, interval=0)])

    assert [(point.cell, round(point.seconds, 3)) for point in history.points] == [(0, 0.5), (1, 0.4)]


def test_fairness_is_that_of_the_last_seconds() -> None:
    """One user had all commits at first; then both had the same."""
    history = opened()

    history.hear(0, T + 1, [row(T, 4, users=(1, 1, 1, 1))])
    history.hear(0, T + 30, [row(T + second, 2, users=(1, 2)) for second in range(1, 30)])

    assert history.points[0].fairness == pytest.approx(0.5)
    assert history.points[-1].fairness == pytest.approx(1.0)


def test_the_history_is_bounded_and_loses_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours become one point, and pages learn that earlier points have changed."""
    monkeypatch.setattr(history_module, "MAX_POINTS", 10)
    history = opened()

    history.hear(0, T + 64, [row(T + second, second) for second in range(64)])

    assert len(history.points) <= 10
    assert sum(attempts(history)) == sum(range(64))
    assert history.epoch > 0
    assert history.spans[0].total["attempts"] == sum(range(64))


def test_of_too_many_cells_the_oldest_points_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points of different cells are never joined."""
    monkeypatch.setattr(history_module, "MAX_POINTS", 8)
    history = History(1)
    for cell in range(20):
        history.open_cell(cell, 2, float(T + cell))
        history.hear(0, T + cell + 1, [row(T + cell, 1, cell=cell)])
        history.end_cell(cell, float(T + cell), T + cell + 1.0)

    assert len(history.points) <= 8
    assert history.points[-1].cell == 19


def test_a_total_counts_the_keys_with_the_most_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run over millions of keys stays cheap."""
    monkeypatch.setattr(history_module, "MAX_KEYS", 2)
    history = opened()
    keys = Frequencies.of([7, 7, 7, 8, 8, 9])

    history.hear(0, T + 1, [Row(0, T, 1, Sample(np.zeros(len(SUMS)), keys=keys))])

    assert history.spans[0].total.keys.ranked(9) == [(7, 3), (8, 2)]


def test_a_row_that_comes_too_late_counts_in_the_next_point() -> None:
    """Its worker was silent for longer than the others waited."""
    history = opened()
    history.hear(0, T + 3, [row(T, 1)])

    history.hear(1, T + 4, [row(T, 50)])
    history.hear(0, T + 4, [])

    assert history.spans[0].total["attempts"] == 51
    assert attempts(history) == [1, 0, 0, 50]
