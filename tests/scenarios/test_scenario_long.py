"""A wait in the transaction: it lies between read and write, and no update is lost by it."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Result, Tally, Work
from scenarios.long import Long
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


class Noting:
    """A session that keeps its statements, and has 7 used in every quota."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def execute(self, sql: str, *parameters: object) -> Result:
        self.asked.append((sql.split(maxsplit=1)[0], *parameters))
        return Result(rows=[(7,)], count=1)

    def think(self, seconds: float) -> None:
        self.asked.append(seconds)


def test_it_waits_between_its_read_and_its_write() -> None:
    """It waits as long as `hold`, and writes what it read plus one."""
    session = Noting()

    Long(hold="20ms").run(session, Work(parameters=(3,), writes=(3,)))

    assert session.asked == [("SELECT", 3), 0.02, ("UPDATE", 3, 8)]


def test_no_use_is_lost_under_contention() -> None:
    """Clients that read the same value conflict, and every acknowledged use is there."""
    with staged(Long(hold="2ms")) as stage:
        before = stage.observe()
        played = stage.play(100, clients=4, skew="hot")
        (verdict,) = stage.check(before, played.tally())

    assert verdict.valid is True
    assert verdict.details["counted"] == 100
    assert played.outcomes(Outcome.CONFLICT) > 0


@pytest.mark.parametrize(
    ("wrong", "direction"),
    [("UPDATE quota SET used = used - 2", "lost"), ("UPDATE quota SET used = used + 2", "doubled")],
)
def test_a_wrong_quota_is_found(wrong: str, direction: str) -> None:
    """Uses that are missing count as lost, uses that are counted twice as doubled."""
    with staged(Long(hold="0"), keys=1) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql(wrong)
        (verdict,) = stage.check(before, played.tally())

    assert verdict.valid is False
    assert (verdict.count, verdict.details[direction]) == (2, 2)


def test_an_unknown_outcome_may_be_either() -> None:
    """A use with an unknown outcome may be counted or not."""
    verdicts = [
        Long().check({"total": 5}, {"total": total}, Tally(10, unknown=1)) for total in (14, 15, 16, 17)
    ]

    assert [verdict.valid for (verdict,) in verdicts] == [False, True, True, False]
