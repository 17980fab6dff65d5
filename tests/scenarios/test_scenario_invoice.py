"""The invoices: a unique index gives each number once and has a hot tail; a plain one never conflicts."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.invoice import Invoice
from tests.support.playing import FULL_SPEED, PLAIN, staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("host", [FULL_SPEED, PLAIN])
@pytest.mark.usefixtures("dsn")
def test_a_unique_index_gives_every_number_once(host: str) -> None:
    """Transactions that take the same number conflict; after retries there are no gaps."""
    with staged(Invoice(), keys=5, host=host) as stage:
        before = stage.observe()
        played = stage.play(80, clients=4, skew="hot")
        verdicts = stage.check(before, played.tally())
        ((last,),) = stage.sql("SELECT max(number) FROM invoice").rows

    assert played.outcomes(Outcome.CONFLICT) > 0
    assert played.finals == {(0, Outcome.COMMITTED): 80}
    assert [verdict.valid for verdict in verdicts] == [True, True]
    assert last == 80


def test_a_plain_index_never_conflicts_and_gives_numbers_twice() -> None:
    """Entries of an index that is not unique are nobody's to conflict on."""
    with staged(Invoice(index="plain"), keys=5) as stage:
        before = stage.observe()
        played = stage.play(80, clients=4, skew="hot")
        once, twice = stage.check(before, played.tally())

    assert played.attempts == {(0, Outcome.COMMITTED): 80}
    assert once.valid is True
    assert twice.valid is False


def test_numbers_that_were_given_twice_are_counted_once() -> None:
    """Those of an earlier cell are not found again; the worst is the number with the most invoices."""
    with staged(Invoice(index="plain"), keys=5) as stage:
        rows = "INSERT INTO invoice SELECT gen_random_uuid(), {}, 1 FROM generate_series(1, {})"
        stage.sql(rows.format(1, 2))
        before = stage.observe()
        stage.sql(rows.format(2, 3))
        stage.sql(rows.format(3, 2))
        once, twice = stage.check(before, Tally(5, 0))

    assert once.valid is True
    assert (twice.valid, twice.count) == (False, 2)
    assert twice.first == twice.worst == {"series": 2, "number": 1, "invoices": 3}
    assert twice.last == {"series": 3, "number": 1, "invoices": 2}
