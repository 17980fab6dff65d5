"""What holds goodput back: the hottest row where it is taken all the time, else what users do with theirs."""

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
    found: dict[str, Any] = summarised["limit"]
    return found


def row_taken(commits: int, skew: str = "hot") -> list[Any]:
    """So many commits in a second on the hottest key, each with a window of 7 ms and nothing else."""
    hottest = int(parse_skew(skew).table(100).key_of([0])[0])
    return steady_commits(commits, 1.0, times_ms=(0.0, 2.0, 5.0), key=hottest)


def test_the_hottest_row_is_the_limit_where_it_is_always_taken() -> None:
    """140 commits of 7 ms on one row take 98 % of a second, whatever the users do meanwhile."""
    found = limit_of(row_taken(140), skew="hot", users=10)

    assert found["name"] == "hottest_row"
    assert found["hottest_row_busy"] == pytest.approx(0.98)


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
    """By the commits that wrote it; not known where draws say too little, or locks wait."""
    found = limit_of(row_taken(140, changes["skew"]), users=1, **changes)["hottest_row_busy"]

    assert found == (None if busy is None else pytest.approx(busy))


def test_commits_on_other_keys_do_not_take_the_hottest_row() -> None:
    """However likely the hottest key is drawn: who meets there gives up, and others commit."""
    others = steady_commits(140, 1.0, times_ms=(0.0, 2.0, 5.0), key=1)

    assert limit_of(others, skew="zipf:2")["hottest_row_busy"] == 0


def test_what_the_business_rule_refused_is_no_conflict() -> None:
    """Sold out is neither contention nor work in vain."""
    refused = [attempt(n, 10.0 * n, Outcome.REJECTED) for n in range(99)]

    assert limit_of(refused)["name"] == "rejected"


def test_one_user_who_always_commits_is_limited_by_latency() -> None:
    """98 % of the time in attempts that committed."""
    found = limit_of(steady_commits(140, 1.0, times_ms=(0.0, 2.0, 5.0), key=1))

    assert found["name"] == "latency"
    assert found["user_time"] == pytest.approx(
        {"latency": 0.98, "conflicts": 0, "errors": 0, "rejected": 0, "backoff": 0, "between": 0.02}
    )


@pytest.mark.parametrize(
    ("backoff_ms", "think", "name"), [(0.0, 0.0, "conflicts"), (20.0, 0.0, "backoff"), (0.0, 20.0, "between")]
)
def test_otherwise_it_is_what_takes_most_of_the_users_time(
    backoff_ms: float, think: float, name: str
) -> None:
    """Of attempts in vain, waits before a retry, and what lies between."""
    step = 10.0 + backoff_ms + think
    tries = [
        attempt(n, n * step, Outcome.CONFLICT, final=False, backoff_ms=backoff_ms)
        for n in range(int(990 / step))
    ]

    found = limit_of(tries, users=1)

    assert found["name"] == name
    assert sum(found["user_time"].values()) == pytest.approx(1.0)


def test_with_row_locks_it_is_the_waits() -> None:
    """Not latency, which more users would make use of."""
    assert limit_of(row_taken(140), conflicts="locks")["name"] == "lock_waits"


def side_by_side(users: int, begin_ms: float = 0.0) -> list[Any]:
    """So many users who commit every 10 ms on the hottest key, all at the same time, 7 ms each."""
    hottest = int(parse_skew("hot").table(100).key_of([0])[0])
    return [
        attempt(user * 1_000 + n, 10.0 * n, user=user, times_ms=(begin_ms, 2.0 + begin_ms, 5.0), key=hottest)
        for n in range(100)
        for user in range(users)
    ]


def test_commits_that_overlap_prove_that_the_key_is_no_row() -> None:
    """Of two who write one row at the same time one loses: no row is named, and nothing is predicted."""
    (found,) = summarise(run_of(side_by_side(4), cells=[cell(skew="hot", users=4)]))["cells"]

    assert found["limit"]["hottest_row_busy"] is None
    assert found["limit"]["name"] != "hottest_row"
    assert found["limit"]["hottest_row_overlap"] == pytest.approx(4 * 0.5)
    assert found["hot_keys"] == []
    assert found["predicted"] == {"conflict_rate": None, "goodput_per_s": None}
    (warning,) = [warning for warning in found["warnings"] if warning["code"] == "writes_too_coarse"]
    assert "together they took 200% of the measured interval" in warning["message"]


def test_a_round_trip_more_proves_nothing() -> None:
    """BEGIN travels with the first statement, so R is too long by up to 2 ms here: 140 % is 100 % at most."""
    found = limit_of(side_by_side(2), skew="hot", users=2)

    assert found["hottest_row_overlap"] is None
    assert found["hottest_row_busy"] == 1.0


def test_few_commits_prove_nothing() -> None:
    """Nor do those that a receipt resolved, whose COMMIT has the look-up in it."""
    assert limit_of(side_by_side(4)[:19], skew="hot", users=4)["hottest_row_overlap"] is None
    resolved = side_by_side(4)
    for one in resolved:
        one["flags"] = Flag.FINAL | Flag.RESOLVED
    assert limit_of(resolved, skew="hot", users=4)["hottest_row_overlap"] is None


def test_a_server_that_stood_still_takes_no_row() -> None:
    """Attempts of 10 s that lost have no part in how long the row was taken by those who won."""
    hottest = int(parse_skew("hot").table(100).key_of([0])[0])
    stuck = [
        attempt(5_000 + n, 500.0, Outcome.CONFLICT, user=n, times_ms=(0.0, 9_000.0, 1_000.0), key=hottest)
        for n in range(40)
    ]

    assert limit_of([*row_taken(70), *stuck], skew="hot", users=40)["hottest_row_busy"] == pytest.approx(0.49)


def test_pauses_after_errors_are_not_think_time() -> None:
    """Attempts of 10 ms failed, each followed by 190 ms: errors took that time, not think time."""
    failing = [attempt(n, 200.0 * n, Outcome.ERROR, sqlstate="23505") for n in range(5)]

    found = limit_of(failing)

    assert found["name"] == "errors"
    assert found["user_time"]["errors"] == pytest.approx(0.81)


def test_think_time_after_an_error_is_think_time() -> None:
    """What the user would have paused anyway is not the error's."""
    failing = [attempt(n, 200.0 * n, Outcome.ERROR, sqlstate="23505") for n in range(5)]
    (found,) = summarise(run_of(failing, think_s=0.190))["cells"]

    assert found["limit"]["user_time"]["errors"] == pytest.approx(0.05)
    assert found["limit"]["name"] == "between"


def test_shares_are_never_more_than_all() -> None:
    """Two attempts of 3 s in a window of 1 s take all the time of the two users, not three times that."""
    waiting = [attempt(n, 900.0, user=n, times_ms=(0.0, 2_000.0, 1_000.0)) for n in range(2)]

    assert limit_of(waiting, users=2)["user_time"]["latency"] == pytest.approx(1.0)


def test_nothing_is_said_of_a_scenario_that_hides_a_row() -> None:
    """The hidden row may be the limit."""
    hidden = {"code": "writes_undeclared", "message": "m", "advice": "a"}
    run = run_of(row_taken(140), cells=[cell(skew="hot")], rehearsal=[hidden])

    (summarised,) = summarise(run)["cells"]

    assert summarised["limit"]["name"] is None


def test_without_an_attempt_there_is_no_limit() -> None:
    """Nothing was tried, so nothing held it back."""
    assert limit_of([])["name"] is None
