"""The upsert: the first view inserts the row, the losers of the race conflict, each view counts once."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.upsert import Upsert, _period
from tests.support.playing import FULL_SPEED, PLAIN, staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("conflicts", ["commit", "locks"])
@pytest.mark.usefixtures("dsn")
def test_every_view_is_counted_whoever_made_the_row(conflicts: str) -> None:
    """Clients race to insert one row: some conflict, none fails, and all views are counted in it."""
    host = FULL_SPEED if conflicts == "commit" else PLAIN
    with staged(Upsert(period="0s"), host=host) as stage:
        before = stage.observe()
        played = stage.play(120, clients=4, skew="hot")
        (verdict,) = stage.check(before, played.tally())
        rows = stage.sql("SELECT views FROM page_view").rows

    assert played.finals == {(0, Outcome.COMMITTED): 120}
    assert played.outcomes(Outcome.CONFLICT) > 0
    assert (verdict.valid, rows) == (True, [(120,)])


def test_the_loser_of_the_race_to_insert_conflicts(dsn: str) -> None:
    """Two transactions see no row: the second one gets 40001 and not a duplicate key (23505)."""
    assert dsn
    scenario = Upsert(period="0s")
    with staged(scenario) as stage, stage.session() as first, stage.session() as second:
        for session in (first, second):
            session.begin()
            session.execute("SELECT count(*) FROM page_view")
            session.execute(_VIEW_OF_PAGE_1)
        first.commit()
        with pytest.raises(Exception, match="OC000") as raised:
            second.commit()
        sqlstate = second.describe(raised.value).sqlstate

    assert sqlstate == "40001"


_VIEW_OF_PAGE_1 = (
    "INSERT INTO page_view (page, period, views) VALUES (1, 0, 1) "
    "ON CONFLICT (page, period) DO UPDATE SET views = page_view.views + 1"
)


def test_a_period_has_rows_of_its_own() -> None:
    """Times within one second have the same period; without a length all times have."""
    assert [_period(now_s, 1.0) for now_s in (7.0, 7.999, 8.0)] == [7, 7, 8]
    assert [_period(now_s, 0.25) for now_s in (7.0, 7.3)] == [28, 29]
    assert {_period(now_s, 0.0) for now_s in (7.0, 1e9)} == {0}


@pytest.mark.parametrize(("step", "direction"), [(-1, "lost"), (1, "doubled")])
def test_a_view_lost_or_doubled_is_found(step: int, direction: str) -> None:
    """It counts as lost or as doubled."""
    with staged(Upsert(period="0s"), keys=1) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql("UPDATE page_view SET views = views + $1", step)
        (verdict,) = stage.check(before, played.tally())

    assert verdict.valid is False
    assert (verdict.count, verdict.details[direction]) == (1, 1)


def test_a_view_of_unknown_outcome_may_be_there_or_not() -> None:
    """Both are correct; one view more is a violation."""
    with staged(Upsert()) as stage:
        before = stage.observe()
        stage.play(20)
        verdicts = [stage.check(before, Tally(committed, 1))[0] for committed in (20, 19, 18)]

    assert [verdict.valid for verdict in verdicts] == [True, True, False]
