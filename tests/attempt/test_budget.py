"""The policy `budget`, which bounds the retries of a user, and lists of policies."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Flag, Outcome
from hotrow.attempt.retry import Budget, parse_retries, parse_retry
from hotrow.errors import UsageError
from tests.support.attempting import CONFLICT, UNIQUE, Run


def paid(budget: Budget, most: int = 100) -> int:
    """How many retries the budget pays for until it is empty."""
    return next((count for count in range(most) if not budget.pay()), most)


def test_it_starts_full() -> None:
    """The first retries are paid by the burst."""
    assert paid(Budget(ratio=0.0, burst=3)) == 3


def test_deposits_of_a_tenth_make_whole_retries() -> None:
    """Ten transactions at 0.1 pay for exactly one retry; nine for none."""
    budget = Budget(ratio=0.1, burst=5)
    paid(budget)

    for _ in range(9):
        budget.deposit()
    assert not budget.pay()
    budget.deposit()
    assert paid(budget) == 1


def test_it_holds_no_more_than_the_burst() -> None:
    """Deposits above the burst are lost."""
    budget = Budget(ratio=2.0, burst=4)
    for _ in range(50):
        budget.deposit()

    assert paid(budget) == 4


def test_only_the_policy_budget_has_one() -> None:
    """Other policies stop by `max` and `within` alone."""
    assert parse_retry("full-jitter").open_budget() is None
    assert parse_retry("budget").open_budget() is not None


def test_a_retry_that_cannot_be_paid_for_gives_up() -> None:
    """The transaction ends with its conflict, although `max` would allow more retries."""
    run = Run([CONFLICT] * 9, retry="budget:ratio=0,burst=2,base=0,cap=0,max=5")

    assert run.go() is Outcome.CONFLICT
    assert run.column("flags") == [0, 0, Flag.FINAL]


def test_the_budget_is_of_all_transactions_of_the_user() -> None:
    """Each deposits when it begins; of ten that always conflict, burst + ratio * n retries are made."""
    run = Run([CONFLICT] * 99, retry="budget:ratio=0.5,burst=2,base=0,cap=0,max=unlimited")

    for _ in range(10):
        run.go()

    # The deposit of the first finds the bucket full.
    assert len(run.records) == 10 + 2 + 4


def test_max_stops_before_the_budget_does() -> None:
    """What `max` refuses costs nothing: the second transaction can still be retried."""
    run = Run([CONFLICT] * 4, retry="budget:ratio=0,burst=2,base=0,cap=0,max=1")

    run.go()
    run.go()

    assert run.column("attempt") == [1, 2, 1, 2]


def test_an_end_that_is_not_retried_costs_nothing() -> None:
    """An error is final, and the budget pays nothing."""
    run = Run([], retry="budget:ratio=0,burst=1", raises=UNIQUE)

    run.go()

    assert run.client.budget is not None
    assert run.client.budget.pay()


def test_its_delay_is_full_jitter() -> None:
    """The pause before a retry lies between 0 and the ceiling."""
    policy = parse_retry("budget:base=10ms,cap=1s")

    assert policy.mean_delay_s(3) == parse_retry("full-jitter:base=10ms,cap=1s").mean_delay_s(3) == 0.02


@pytest.mark.parametrize(
    "text", ["budget:ratio=0.000001,burst=0", "budget:ratio=12.345678,burst=1000000,within=2s,max=unlimited"]
)
def test_text_round_trip(text: str) -> None:
    """The canonical text is read back as an equal policy."""
    policy = parse_retry(text)

    assert policy == parse_retry(policy.spec)
    assert all(pair in policy.spec for pair in text.partition(":")[2].split(","))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("budget:ratio=-1", ["ratio", "'-1'"]),
        ("budget:ratio=nan", ["ratio", "'nan'"]),
        ("budget:ratio=1001", ["ratio", "1000"]),
        ("budget:ratio=0.1234567", ["6 decimals"]),
        ("budget:burst=-1", ["burst", "'-1'"]),
        ("budget:burst=0.5", ["burst", "'0.5'"]),
        ("full-jitter:ratio=0.2", ["ratio", "unknown to full-jitter"]),
    ],
)
def test_refused(text: str, names: list[str]) -> None:
    """A value that is not valid is refused in one line that names the parameter and what is allowed."""
    with pytest.raises(UsageError) as refusal:
        parse_retry(text)

    line = str(refusal.value)
    assert "\n" not in line
    assert [name for name in names if name not in line] == []


def test_a_comma_starts_a_policy_unless_a_parameter_follows() -> None:
    """Commas separate both parameters and policies."""
    listed = parse_retries("none, full-jitter:base=10ms,cap=2s,aws-connector,budget:ratio=0.5, burst=3")

    assert [policy.spec for policy in listed] == [
        "none",
        "full-jitter:base=10ms,cap=2s,max=10",
        "aws-connector:base=1ms,cap=100ms,max=3",
        "budget:ratio=0.5,burst=3,base=10ms,cap=1s,max=10",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("none,none", ["none", "twice"]),
        ("fixed,fixed:base=10ms", ["fixed:base=10ms,max=10", "twice"]),
        ("none,", ["unknown policy ''"]),
        ("none,backoff", ["unknown policy 'backoff'"]),
        ("full-jitter,base=1ms", ["full-jitter:base=1ms", "colon"]),
        ("cap=1s", ["unknown policy 'cap=1s'"]),
    ],
)
def test_lists_refused(text: str, names: list[str]) -> None:
    """A list that is not valid is refused in one line."""
    with pytest.raises(UsageError) as refusal:
        parse_retries(text)

    line = str(refusal.value)
    assert line.startswith("--retry")
    assert [name for name in names if name not in line] == []
