"""The limit of goodput: the hottest row if it is always taken, else what the users' time goes into."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt.record import Flag, Outcome
from hotrow.keys.skew import parse_skew
from tests.support.measured import attempt, cell, run_of, steady_commits


def limit_of(attempts: list[Any], **changes: Any) -> dict[str, Any]:
    conflicts = changes.pop("conflicts", "commit")
    (summarised,) = summarise(run_of(attempts, cells=[cell(**changes)], conflicts=conflicts))["cells"]
    limit: dict[str, Any] = summarised["limit"]
    return limit


def row_taken(commits: int, skew: str = "hot") -> list[Any]:
    """This many commits in 1 s on the hottest key, each with a conflict window of 7 ms and no other time."""
    hottest = int(parse_skew(skew).table(100).key_of([0])[0])
    return steady_commits(commits, 1.0, times_ms=(0.0, 2.0, 5.0), key=hottest)


def test_the_hottest_row_is_the_limit_where_it_is_always_taken() -> None:
    """140 commits of 7 ms on one row take 98 % of a second."""
    limit = limit_of(row_taken(140), skew="hot", users=10)

    assert limit["name"] == "hottest_row"
    assert limit["hottest_row_busy"] == pytest.approx(0.98)


@pytest.mark.parametrize(
    ("changes", "busy"),
    [
        ({"skew": "hot", "rows_per_key": 4}, 0.98 / 4),
        ({"skew": "zipf:0.99"}, 0.98),
        ({"skew": "zipf:0.99", "keys_per_transaction": 2}, 0.98),
        ({"skew": "hot", "closed_form": False}, None),
        ({"skew": "hot", "conflicts": "locks"}, None),
    ],
)
def test_how_busy_the_hottest_row_is(changes: dict[str, Any], busy: float | None) -> None:
    """It follows from the commits on the row; it is unknown without a closed form and with row locks."""
    limit = limit_of(row_taken(140, changes["skew"]), users=1, **changes)["hottest_row_busy"]

    assert limit == (None if busy is None else pytest.approx(busy))


def test_commits_on_other_keys_do_not_take_the_hottest_row() -> None:
    """This holds even if the hottest key is drawn most often."""
    others = steady_commits(140, 1.0, times_ms=(0.0, 2.0, 5.0), key=1)

    assert limit_of(others, skew="zipf:2")["hottest_row_busy"] == 0


def test_a_rejection_is_no_conflict() -> None:
    """A sold-out cell has neither contention nor failed attempts."""
    refused = [attempt(n, 10.0 * n, Outcome.REJECTED) for n in range(99)]

    assert limit_of(refused)["name"] == "rejected"


def test_one_user_who_always_commits_is_limited_by_latency() -> None:
    """Attempts that committed took 98 % of the time."""
    limit = limit_of(steady_commits(140, 1.0, times_ms=(0.0, 2.0, 5.0), key=1))

    assert limit["name"] == "latency"
    assert limit["user_time"] == pytest.approx(
        {"latency": 0.98, "conflicts": 0, "errors": 0, "rejected": 0, "backoff": 0, "between": 0.02}
    )


@pytest.mark.parametrize(
    ("backoff_ms", "think", "name"), [(0.0, 0.0, "conflicts"), (20.0, 0.0, "backoff"), (0.0, 20.0, "between")]
)
def test_otherwise_the_limit_takes_most_of_the_users_time(backoff_ms: float, think: float, name: str) -> None:
    """Failed attempts, waits before retries, and the time between attempts are compared."""
    step = 10.0 + backoff_ms + think
    tries = [
        attempt(n, n * step, Outcome.CONFLICT, final=False, backoff_ms=backoff_ms)
        for n in range(int(990 / step))
    ]

    limit = limit_of(tries, users=1)

    assert limit["name"] == name
    assert sum(limit["user_time"].values()) == pytest.approx(1.0)


def test_with_row_locks_it_is_the_waits() -> None:
    """It is not latency: with latency as the limit, more users would help."""
    assert limit_of(row_taken(140), conflicts="locks")["name"] == "lock_waits"


def side_by_side(users: int, begin_ms: float = 0.0) -> list[Any]:
    """This many users who commit every 10 ms on the hottest key, all at the same time, 7 ms each."""
    hottest = int(parse_skew("hot").table(100).key_of([0])[0])
    return [
        attempt(user * 1_000 + n, 10.0 * n, user=user, times_ms=(begin_ms, 2.0 + begin_ms, 5.0), key=hottest)
        for n in range(100)
        for user in range(users)
    ]


def test_commits_that_overlap_prove_that_the_key_is_no_row() -> None:
    """Two writers of one row cannot both commit, so no row is named and nothing is predicted."""
    (summarised,) = summarise(run_of(side_by_side(4), cells=[cell(skew="hot", users=4)]))["cells"]

    assert summarised["limit"]["hottest_row_busy"] is None
    assert summarised["limit"]["name"] != "hottest_row"
    assert summarised["limit"]["hottest_row_overlap"] == pytest.approx(4 * 0.5)
    assert summarised["hot_keys"] == []
    assert summarised["predicted"] == {"conflict_rate": None, "goodput_per_s": None}
    (warning,) = [warning for warning in summarised["warnings"] if warning["code"] == "writes_too_coarse"]
    assert "together they took 200% of the measured interval" in warning["message"]


def test_a_round_trip_more_proves_nothing() -> None:
    """BEGIN travels with the first statement, so R may be 2 ms too long: 140 % is reported as 100 %."""
    limit = limit_of(side_by_side(2), skew="hot", users=2)

    assert limit["hottest_row_overlap"] is None
    assert limit["hottest_row_busy"] == 1.0


def test_few_commits_prove_nothing() -> None:
    """Commits that a receipt resolved do not count either, because their COMMIT includes the look-up."""
    assert limit_of(side_by_side(4)[:19], skew="hot", users=4)["hottest_row_overlap"] is None
    resolved = side_by_side(4)
    for record in resolved:
        record["flags"] = Flag.FINAL | Flag.RESOLVED
    assert limit_of(resolved, skew="hot", users=4)["hottest_row_overlap"] is None


def test_a_server_that_stood_still_takes_no_row() -> None:
    """Lost attempts of 10 s do not count in the time for which winners took the row."""
    hottest = int(parse_skew("hot").table(100).key_of([0])[0])
    stuck = [
        attempt(5_000 + n, 500.0, Outcome.CONFLICT, user=n, times_ms=(0.0, 9_000.0, 1_000.0), key=hottest)
        for n in range(40)
    ]

    assert limit_of([*row_taken(70), *stuck], skew="hot", users=40)["hottest_row_busy"] == pytest.approx(0.49)


def test_pauses_after_errors_are_not_think_time() -> None:
    """Attempts of 10 ms failed, each followed by 190 ms; errors took that time."""
    failing = [attempt(n, 200.0 * n, Outcome.ERROR, sqlstate="23505") for n in range(5)]

    limit = limit_of(failing)

    assert limit["name"] == "errors"
    assert limit["user_time"]["errors"] == pytest.approx(0.81)


def test_think_time_after_an_error_is_think_time() -> None:
    """The pause that the user makes anyway is not due to the error."""
    failing = [attempt(n, 200.0 * n, Outcome.ERROR, sqlstate="23505") for n in range(5)]
    (summarised,) = summarise(run_of(failing, think_s=0.190))["cells"]

    assert summarised["limit"]["user_time"]["errors"] == pytest.approx(0.05)
    assert summarised["limit"]["name"] == "between"


def test_shares_are_never_more_than_all() -> None:
    """Two attempts of 3 s in an interval of 1 s take 100 % of the users' time, not 300 %."""
    waiting = [attempt(n, 900.0, user=n, times_ms=(0.0, 2_000.0, 1_000.0)) for n in range(2)]

    assert limit_of(waiting, users=2)["user_time"]["latency"] == pytest.approx(1.0)


def test_no_limit_is_named_if_a_row_is_undeclared() -> None:
    """The undeclared row may be the limit."""
    hidden = {"code": "writes_undeclared", "message": "m", "advice": "a"}
    run = run_of(row_taken(140), cells=[cell(skew="hot")], rehearsal=[hidden])

    (summarised,) = summarise(run)["cells"]

    assert summarised["limit"]["name"] is None


def test_without_an_attempt_there_is_no_limit() -> None:
    """Nothing was attempted."""
    assert limit_of([])["name"] is None


def test_a_proof_holds_for_cells_in_which_nothing_can_overlap() -> None:
    """With one user commits never overlap, but the same scenario writes as coarsely as with four."""
    one = row_taken(140)
    for record in one:
        record["cell"] = 1
    cells = [cell(skew="hot", users=4), cell(1, skew="hot"), cell(2, skew="hot", knobs={"shards": 1})]
    other = row_taken(140)
    for record in other:
        record["cell"] = 2

    four, alone, of_other_knobs = summarise(run_of([*side_by_side(4), *one, *other], cells=cells))["cells"]

    assert four["limit"]["hottest_row_overlap"] is not None
    assert (alone["limit"]["name"], alone["limit"]["hottest_row_busy"]) == ("latency", None)
    assert (alone["hot_keys"], alone["predicted"]["goodput_per_s"]) == ([], None)
    assert of_other_knobs["limit"]["name"] == "hottest_row"
