"""The warnings of a summary, and which of them make a cell unusable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Outcome
from tests.support.measured import attempt, cell, run_of, steady_commits

if TYPE_CHECKING:
    from analysis.reading import Run

CONFLICT = Outcome.CONFLICT


def _warnings(run: Run) -> tuple[dict[str, dict[str, str]], bool]:
    """The warnings of the only cell, by code, and whether it is usable."""
    (summarised,) = summarise(run)["cells"]
    return {warning["code"]: warning for warning in summarised["warnings"]}, summarised["usable"]


def _fine(**changes: Any) -> Run:
    return run_of(steady_commits(1_000, 1.0), **changes)


def test_a_quiet_cell_has_no_warnings() -> None:
    """A cell with enough attempts, an idle client and a valid check."""
    assert _warnings(_fine()) == ({}, True)


def test_every_warning_has_advice() -> None:
    """Each warning has one line for the finding and one for the advice."""
    warnings, _ = _warnings(run_of([attempt(1, 1, Outcome.ERROR)], health=(), checks=(None,)))

    assert len(warnings) >= 4
    for warning in warnings.values():
        assert set(warning) == {"code", "message", "advice"}
        assert warning["advice"].endswith(".")
        assert "\n" not in "".join(warning.values())


@pytest.mark.parametrize("health", [[(0.91, 1.0)], [(0.3, 10.5), (0.3, 30.0), (0.3, 1.0)]])
def test_a_busy_or_late_client_spoils_a_cell(health: list[tuple[float, float]]) -> None:
    """The mean CPU is above 90 % of a core, or the lag above 10 ms in half of the seconds."""
    warnings, usable = _warnings(_fine(health=health))

    assert "client_saturated" in warnings
    assert usable is False


def test_one_hiccup_does_not_spoil_a_cell() -> None:
    """One lag of 40 ms in five seconds is not the p99 of the loop, and one busy second is not the mean."""
    warnings, usable = _warnings(_fine(health=[(0.3, 2.0)] * 4 + [(0.99, 40.0)]))

    assert (warnings, usable) == ({}, True)


def test_an_unmeasured_client_is_a_warning() -> None:
    """Without health lines the client's load is unknown, which is a warning."""
    warnings, usable = _warnings(_fine(health=()))

    assert set(warnings) == {"client_unmeasured"}
    assert usable is True


@pytest.mark.parametrize(
    ("count", "warned", "usable"), [(29, True, False), (30, True, True), (100, False, True)]
)
def test_few_samples(count: int, warned: bool, usable: bool) -> None:
    """Fewer than 100 attempts are a warning; fewer than 30 make the cell unusable."""
    warnings, is_usable = _warnings(run_of(steady_commits(count, 1.0)))

    assert (("too_few_samples" in warnings), is_usable) == (warned, usable)


def test_few_commits_are_few_samples() -> None:
    """A hundred attempts with 19 commits say little about latency."""
    attempts = [attempt(n, n, Outcome.COMMITTED if n < 19 else Outcome.REJECTED) for n in range(100)]

    assert "too_few_samples" in _warnings(run_of(attempts))[0]


def test_errors_are_named() -> None:
    """An attempt that failed is a warning with its SQLSTATE."""
    warnings, _ = _warnings(
        run_of([*steady_commits(200, 1.0), attempt(999, 5, Outcome.ERROR, sqlstate="54000", user=1)])
    )

    assert "54000 x 1" in warnings["errors_seen"]["message"]


def test_unknown_outcomes_are_named() -> None:
    """A transaction whose outcome is unknown has its own warning."""
    warnings, _ = _warnings(run_of([*steady_commits(200, 1.0), attempt(999, 5, Outcome.UNKNOWN, user=1)]))

    assert set(warnings) == {"unknown_outcomes"}


def test_users_that_never_commit_are_a_warning() -> None:
    """One of three users has all commits, so latency is that user's. If two of three commit, all is well."""
    lost = [attempt(1_000 + n, 9.0 * n, Outcome.CONFLICT, user=1 + n % 2) for n in range(100)]
    three = {"cells": [cell(users=3)]}

    starved = _warnings(run_of([*steady_commits(200, 1.0), *lost], **three))[0]
    fed = _warnings(run_of([*steady_commits(200, 1.0), *lost, attempt(9_999, 5.0, user=1)], **three))[0]

    assert "3 users" in starved["users_starved"]["message"]
    assert "users_starved" not in fed


def test_a_sold_out_cell_is_a_warning() -> None:
    """If more than half of the attempts are rejected, the cell measures rejections."""
    refused = [attempt(1_000 + n, n, Outcome.REJECTED) for n in range(201)]

    assert "many_rejected" in _warnings(run_of([*steady_commits(200, 1.0), *refused]))[0]
    assert "many_rejected" not in _warnings(run_of([*steady_commits(200, 1.0), *refused[:200]]))[0]


def test_deadlocks_are_named() -> None:
    """A deadlock is neither a conflict nor an error."""
    warnings, _ = _warnings(run_of([*steady_commits(200, 1.0), attempt(999, 5, Outcome.DEADLOCK, user=1)]))

    assert set(warnings) == {"deadlocks"}


def test_cut_off_transactions_are_named() -> None:
    """If more than 5 % are cut off, the longest retries are missing."""
    cut = [attempt(1_000 + n, n, CONFLICT, final=False, user=1 + n) for n in range(11)]

    assert "many_cut_off" in _warnings(run_of([*steady_commits(200, 1.0), *cut]))[0]
    assert "many_cut_off" not in _warnings(run_of([*steady_commits(200, 1.0), *cut[:10]]))[0]


def test_row_locks_are_labelled() -> None:
    """On a target with row locks, a warning says that conflicts understate contention."""
    warnings, usable = _warnings(_fine(conflicts="locks", cells=[cell(users=8)]))

    assert "waits for row locks" in warnings["waiting_not_conflicts"]["message"]
    assert usable is True
    assert _warnings(_fine(conflicts="locks"))[0] == {}


@pytest.mark.parametrize(("conflicts", "spoilt"), [(0, True), (1, False)])
def test_no_conflict_where_one_was_certain_spoils_a_cell(conflicts: int, spoilt: bool) -> None:
    """Eight users made 800 attempts on one row without a conflict, so the load was not as declared."""
    attempts = [
        attempt(n, n, CONFLICT if n < conflicts else Outcome.COMMITTED, user=n % 8, times_ms=(0.5, 3.0, 4.0))
        for n in range(800)
    ]
    warnings, usable = _warnings(run_of(attempts, cells=[cell(skew="hot", users=8)]))

    assert ("no_conflict_where_certain" in warnings) is spoilt
    assert usable is not spoilt


def test_no_conflict_is_fine_where_few_are_expected() -> None:
    """Eight users on 100,000 rows may have no conflict."""
    attempts = [attempt(n, n, user=n % 8) for n in range(800)]

    assert _warnings(run_of(attempts, cells=[cell(keys=100_000, users=8)])) == ({}, True)


def test_a_growing_rate_is_not_steady() -> None:
    """The rate of attempts grows through the interval; the advice is a longer warm-up."""
    starts_ms = np.sort(1_000 * np.sqrt(np.random.default_rng(1).random(3_000)))
    warnings, usable = _warnings(run_of([attempt(n, start) for n, start in enumerate(starts_ms)]))

    assert "--warmup" in warnings["not_steady"]["advice"]
    assert usable is True


def test_an_undecided_check_is_a_warning() -> None:
    """An undecided check is a warning; a scenario without checks is not."""
    assert set(_warnings(_fine(checks=(True, None)))[0]) == {"check_undecided"}
    assert _warnings(_fine(checks=()))[0] == {}


def test_torn_bytes_are_a_warning() -> None:
    """A torn record at the end is ignored and reported."""
    summary = summarise(_fine(torn_bytes=17))

    assert summary["torn_bytes"] == 17
    assert [warning["code"] for warning in summary["warnings"]] == ["torn_tail"]
