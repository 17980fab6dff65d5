"""The counter: its increments add up, its shards share them, and its check finds what is wrong."""

from __future__ import annotations

import pytest

from hotrow.attempt.record import Outcome
from scenarios.counter import Counter
from tests.support.playing import staged

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.mark.parametrize("shards", [1, 4])
def test_every_increment_is_counted(shards: int) -> None:
    """Clients on one counter lose no increment, whatever its number of rows."""
    with staged(Counter(shards=shards)) as stage:
        before = stage.observe()
        played = stage.play(200, clients=4, skew="hot")
        (verdict,) = stage.check(before, played.tally())
        rows = stage.sql("SELECT count(*) FROM counter WHERE value > 0").rows[0][0]

    assert verdict.valid is True
    assert verdict.details["counted"] == 200
    assert rows == shards
    assert (played.outcomes(Outcome.CONFLICT) > 0) or shards > 1


@pytest.mark.parametrize(
    ("wrong", "direction"),
    [("UPDATE counter SET value = value - 1", "lost"), ("UPDATE counter SET value = value + 1", "doubled")],
)
def test_a_wrong_counter_is_found(wrong: str, direction: str) -> None:
    """An increment that was undone counts as lost, one that was made twice as doubled."""
    with staged(Counter(), keys=1) as stage:
        before = stage.observe()
        played = stage.play(20)
        stage.sql(wrong)
        (verdict,) = stage.check(before, played.tally())

    assert verdict.valid is False
    assert (verdict.count, verdict.details[direction]) == (1, 1)
