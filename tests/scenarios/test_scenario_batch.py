"""Many rows per transaction: batches are whole and in the chosen order, and the check finds parts."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.attempt.record import Outcome
from hotrow.errors import UsageError
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Tally
from scenarios.batch import Batch
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")
OVERLAPPING = "local:rtt=300us,commit=300us"
"""Round trips long enough that the transactions of several clients are open at once."""


def drawn(order: str, skew: str = "hot") -> list[tuple[int, ...]]:
    """The rows of a hundred transactions, in the order in which they are updated."""
    rng = np.random.default_rng(1)
    keys = KeySource(parse_skew(skew).table(20), rng)
    works = [Batch(rows=5, order=order).draw(keys, rng) for _ in range(100)]
    assert all(sorted(work.parameters) == sorted(work.writes) for work in works)
    return [work.parameters for work in works]


def test_sorted_is_ascending() -> None:
    """Every batch takes its rows in the order of their ids."""
    assert all(list(rows) == sorted(rows) for rows in drawn("sorted"))


def test_random_puts_the_hottest_row_anywhere() -> None:
    """The skew draws it first; the batch updates it at any position."""
    batches = drawn("random")
    (hottest,) = set.intersection(*map(set, batches))

    assert {rows.index(hottest) for rows in batches} == set(range(5))


@pytest.mark.parametrize("order", ["random", "sorted"])
def test_batches_are_whole_whatever_their_order(order: str) -> None:
    """Clients whose batches overlap conflict, never deadlock, and leave ten rows for each batch."""
    with staged(Batch(order=order), keys=20, host=OVERLAPPING) as stage:
        before = stage.observe()
        played = stage.play(60, clients=3)
        whole, once = stage.check(before, played.tally())

    assert (whole.valid, once.valid) == (True, True)
    assert (whole.details["rows_updated"], once.details["counted"]) == (600, 60)
    assert played.outcomes(Outcome.CONFLICT) > 0
    assert played.outcomes(Outcome.DEADLOCK) == 0


def test_half_a_batch_is_found() -> None:
    """Three rows of a batch of ten are missing: the batch is not whole, and one batch is lost."""
    with staged(Batch(), keys=10) as stage:
        before = stage.observe()
        played = stage.play(5)
        stage.sql("UPDATE item SET value = value - 1 WHERE id < 3")
        whole, once = stage.check(before, played.tally())

    assert (whole.valid, whole.count) == (False, 1)
    assert whole.first == {"rows_updated": 47, "rows_a_batch": 10, "rows_left": 7}
    assert (once.valid, once.details["lost"]) == (False, 1)


def test_a_batch_that_was_applied_twice_is_found() -> None:
    """It is whole, but there is one batch too many."""
    with staged(Batch(), keys=10) as stage:
        before = stage.observe()
        played = stage.play(5)
        stage.sql("UPDATE item SET value = value + 1")
        whole, once = stage.check(before, played.tally())

    assert whole.valid is True
    assert (once.valid, once.details["doubled"]) == (False, 1)


def test_an_unknown_outcome_may_be_either() -> None:
    """A batch with an unknown outcome may exist or not, but not in part."""
    verdicts = [
        Batch(rows=2).check({"total": 0}, {"total": total}, Tally(3, unknown=1)) for total in (6, 7, 8, 10)
    ]

    assert [(whole.valid, once.valid) for whole, once in verdicts] == [
        (True, True),
        (False, True),
        (True, True),
        (True, False),
    ]


def test_more_rows_than_aurora_dsql_takes_are_refused() -> None:
    """The limit is 3,000 rows per transaction, and one of them may be the receipt."""
    assert Batch(rows=2999).keys_per_transaction == 2999
    with pytest.raises(UsageError, match="--rows 3000"):
        Batch(rows=3000)
