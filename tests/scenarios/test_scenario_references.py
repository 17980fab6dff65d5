"""Foreign keys: children meet neither each other nor an UPDATE of their parent, but they meet FOR UPDATE."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from hotrow.scenario import Tally
from scenarios.references import CHILD, PARENT, References
from tests.support.playing import FULL_SPEED, PLAIN, staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("host", [FULL_SPEED, PLAIN])
@pytest.mark.usefixtures("dsn")
def test_children_of_one_parent_do_not_conflict(host: str) -> None:
    """Each locks the parent's key, and such locks agree with one another."""
    with staged(References(changes=0), keys=5, host=host) as stage:
        before = stage.observe()
        played = stage.play(80, clients=4, skew="hot")
        verdicts = stage.check(before, played.tally(2))

    assert played.attempts == {(CHILD, Outcome.COMMITTED): 80}
    assert [verdict.valid for verdict in verdicts] == [True, True]


@pytest.mark.parametrize(("parent", "conflicts"), [("update", False), ("lock", True)])
def test_children_conflict_with_a_parent_that_is_read_for_update(parent: str, conflicts: bool) -> None:
    """An UPDATE of a column that is no key lets them pass."""
    with staged(References(parent=parent, changes=0.5), keys=5) as stage:
        before = stage.observe()
        played = stage.play(200, clients=4, skew="hot")
        verdicts = stage.check(before, played.tally(2))

    lost = played.attempts[CHILD, Outcome.CONFLICT]
    assert (lost > 0) == conflicts
    assert played.attempts[PARENT, Outcome.CONFLICT] > 0
    assert [verdict.valid for verdict in verdicts] == [True, True]


@pytest.mark.parametrize(
    ("wrong", "verdicts"),
    [
        ("DELETE FROM child WHERE id = (SELECT id FROM child ORDER BY id LIMIT 1)", [False, True]),
        ("UPDATE parent SET changes = changes + 1 WHERE id = 0", [True, False]),
    ],
)
def test_lost_children_and_doubled_changes_are_found(wrong: str, verdicts: list[bool]) -> None:
    """Each has its own verdict."""
    with staged(References(), keys=5) as stage:
        before = stage.observe()
        stage.sql("INSERT INTO child SELECT gen_random_uuid(), n FROM generate_series(0, 4) AS n")
        stage.sql(wrong)
        found = stage.check(before, Tally(5, 0, kinds=(Tally(5, 0), Tally(0, 0))))

    assert [verdict.valid for verdict in found] == verdicts
