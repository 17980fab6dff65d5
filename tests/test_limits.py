"""What holds goodput back: the hottest row where it is taken all the time, else what users do with theirs."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.summarise import summarise
from hotrow.attempt import Outcome
from hotrow.skew import parse_skew
from tests.measured import attempt, cell, run_of, steady_commits


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
        {"latency": 0.98, "conflicts": 0, "rejected": 0, "backoff": 0, "between": 0.02}
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
