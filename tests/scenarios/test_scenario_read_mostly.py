"""Read-mostly: reads never conflict and never see half an edit; the check finds one that does."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.read_mostly import READ, WRITE, ReadMostly
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


def tally_of(edits: int, unknown: int = 0) -> Tally:
    """The tally of a cell with this number of acknowledged edits."""
    return Tally(edits, unknown, kinds=[Tally(0, 0), Tally(edits, unknown)])


def test_reads_never_conflict_and_edits_are_counted_once() -> None:
    """Readers and writers of one hot article: only writers conflict, and nobody sees half an edit."""
    with staged(ReadMostly(reads=0.5)) as stage:
        before = stage.observe()
        played = stage.play(240, clients=4, skew="hot")
        tally = played.tally(kinds=2)
        whole, once = stage.check(before, tally)

    assert {outcome for kind, outcome in played.attempts if kind == READ} == {Outcome.COMMITTED}
    assert played.attempts[WRITE, Outcome.CONFLICT] > 0
    assert (whole.valid, once.valid) == (True, True)
    assert once.details["counted"] == tally.kinds[WRITE].committed > 0


@pytest.mark.parametrize(("reads", "kind"), [(1, READ), (0, WRITE)])
def test_the_share_decides_the_kind(reads: int, kind: int) -> None:
    """With 1 all transactions read, with 0 all edit."""
    with staged(ReadMostly(reads=reads)) as stage:
        played = stage.play(20)

    assert played.finals == {(kind, Outcome.COMMITTED): 20}


def test_half_an_edit_that_readers_saw_stays_known_after_it_has_gone() -> None:
    """Each half edit that a reader recorded is a violation, even if the tables are whole again."""
    with staged(ReadMostly(reads=1), keys=4) as stage:
        before = stage.observe()
        stage.sql("UPDATE article SET revision = revision + 1 + id WHERE id IN (1, 3)")
        stage.play(5)
        stage.sql("UPDATE article SET revision = revision - 1 - id WHERE id IN (1, 3)")
        whole, once = stage.check(before, tally_of(0))

    assert once.valid is True
    assert (whole.valid, whole.count) == (False, 10)
    shown = [
        (one["id"], one["article"], one["teaser"]) for one in (whole.first, whole.worst, whole.last) if one
    ]
    assert shown == [(1, 2, 0), (3, 4, 0), (3, 4, 0)]
    assert whole.first is not None
    assert len(whole.first["reader"]) == 36


def test_half_an_edit_that_is_left_is_found() -> None:
    """It is found even if nobody read it."""
    with staged(ReadMostly()) as stage:
        before = stage.observe()
        stage.sql("UPDATE teaser SET revision = revision + 1 WHERE id = 3")
        whole, once = stage.check(before, tally_of(0))

    assert once.valid is True
    assert (whole.valid, whole.count) == (False, 1)
    assert whole.first == {"id": 3, "article": 0, "teaser": 1, "reader": None}


@pytest.mark.parametrize(("step", "direction"), [(-1, "lost"), (1, "doubled")])
def test_an_edit_lost_or_doubled_is_found(step: int, direction: str) -> None:
    """It counts as lost or as doubled, although article and teaser agree."""
    with staged(ReadMostly(reads=0), keys=4) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE article SET revision = revision + $1 WHERE id = 2", step)
        stage.sql("UPDATE teaser SET revision = revision + $1 WHERE id = 2", step)
        whole, once = stage.check(before, played.tally(kinds=2))

    assert whole.valid is True
    assert (once.valid, once.count, once.details[direction]) == (False, 1, 1)


def test_an_edit_of_unknown_outcome_may_be_there_or_not() -> None:
    """Both are correct; one edit more is a violation."""
    with staged(ReadMostly(reads=0), keys=4) as stage:
        before = stage.observe()
        stage.play(20)
        verdicts = [stage.check(before, tally_of(committed, 1))[1] for committed in (20, 19, 18)]

    assert [verdict.valid for verdict in verdicts] == [True, True, False]


def test_a_half_edit_from_before_the_cell_is_not_counted() -> None:
    """A half edit that existed and was recorded before the cell is no new violation."""
    with staged(ReadMostly(reads=1), keys=4) as stage:
        stage.sql("UPDATE article SET revision = 9 WHERE id = 3")
        stage.play(3)
        whole, _ = stage.check(stage.observe(), tally_of(0))

    assert whole.valid is True
