"""The ledger: entries are appended once, whatever their ids, and balances in rows stay their sums."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hotrow.attempt.record import Outcome
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Tally
from scenarios.ledger import Ledger
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("ids", ["random", "time-ordered", "sequential"])
def test_appending_never_conflicts_on_one_hot_account(ids: str) -> None:
    """Clients that post to one account all commit at their first try, and each left one entry."""
    with staged(Ledger(ids=ids)) as stage:
        before = stage.observe()
        played = stage.play(120, clients=4, skew="hot")
        (verdict,) = stage.check(before, played.tally())

    assert played.attempts == {(0, Outcome.COMMITTED): 120}
    assert (verdict.valid, verdict.details["counted"]) == (True, 120)


def test_a_balance_in_a_row_conflicts_and_stays_the_sum() -> None:
    """Postings to one account conflict on its row, but none is lost, in the row or among the entries."""
    with staged(Ledger(balance="row")) as stage:
        before = stage.observe()
        played = stage.play(120, clients=4, skew="hot")
        once, sums = stage.check(before, played.tally())

    assert played.outcomes(Outcome.CONFLICT) > 0
    assert (once.valid, once.details["counted"]) == (True, 120)
    assert (sums.valid, sums.count) == (True, 0)


@pytest.mark.parametrize("balance", ["sum", "row"])
def test_only_a_balance_in_a_row_is_declared_as_written(balance: str) -> None:
    """An entry under a key of its own cannot conflict, so it is not declared."""
    rng = np.random.default_rng(1)
    work = Ledger(balance=balance).draw(KeySource(parse_skew("hot").table(5), rng), rng)

    assert work.writes == {"sum": (), "row": (work.parameters[0],)}[balance]


def test_a_time_ordered_id_carries_the_time_and_is_version_7() -> None:
    """RFC 9562: 48 bits of Unix time in ms come first; version and variant are at their positions."""
    rng = np.random.default_rng(1)
    keys = KeySource(parse_skew("hot").table(5), rng)
    before_ms = time.time_ns() // 1_000_000
    ids = [Ledger(ids="time-ordered").draw(keys, rng).parameters[2] for _ in range(50)]
    after_ms = time.time_ns() // 1_000_000

    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert all(before_ms <= one.int >> 80 <= after_ms for one in ids)
    assert len({one.int & (1 << 62) - 1 for one in ids}) == 50


@pytest.mark.parametrize(
    ("wrong", "direction"),
    [
        ("DELETE FROM entry WHERE id = (SELECT id FROM entry ORDER BY id LIMIT 1)", "lost"),
        ("INSERT INTO entry SELECT gen_random_uuid(), account, amount FROM entry LIMIT 1", "doubled"),
    ],
)
def test_an_entry_lost_or_doubled_is_found(wrong: str, direction: str) -> None:
    """It counts as lost or as doubled."""
    with staged(Ledger()) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql(wrong)
        (verdict,) = stage.check(before, played.tally())

    assert verdict.valid is False
    assert (verdict.count, verdict.details[direction]) == (1, 1)


def test_a_posting_of_unknown_outcome_may_be_there_or_not() -> None:
    """Both are correct; one entry more is a violation."""
    with staged(Ledger()) as stage:
        before = stage.observe()
        stage.play(20)
        verdicts = [stage.check(before, Tally(committed, 1))[0] for committed in (20, 19, 18)]

    assert [verdict.valid for verdict in verdicts] == [True, True, False]


def test_balances_that_are_not_their_sums_are_found() -> None:
    """The first account, the worst by difference and the last are shown."""
    with staged(Ledger(balance="row")) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE account SET balance = balance + 5 - id WHERE id IN (1, 2, 9)")
        stage.sql("UPDATE account SET balance = balance + 100 WHERE id = 2")
        once, sums = stage.check(before, played.tally())

    assert once.valid is True
    assert (sums.valid, sums.count) == (False, 3)
    drift = [
        (one["account"], one["balance"] - one["entries"])
        for one in (sums.first, sums.worst, sums.last)
        if one
    ]
    assert drift == [(1, 4), (2, 103), (9, -4)]


def test_a_fault_from_before_the_cell_is_not_counted() -> None:
    """A balance that was wrong before is no new violation, unless it drifts further."""
    with staged(Ledger(balance="row"), keys=2) as stage:
        stage.sql("UPDATE account SET balance = 7")
        before = stage.observe()
        tally = stage.play(20).tally()
        _, went_on = stage.check(before, tally)
        stage.sql("UPDATE account SET balance = balance + 1 WHERE id = 1")
        _, further = stage.check(before, tally)

    assert (went_on.valid, further.valid) == (True, False)
