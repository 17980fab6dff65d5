"""Observed runs: transactions in flight, and the tables and statements that conflict."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.counts import counts_in
from analysis.observed import mean_in_flight, summarise_observed
from analysis.reading import MeasuredInterval
from hotrow.attempt.record import ATTEMPT, Flag, Outcome
from hotrow.run.statement_log import KindLine, StatementLine, StatementLog

MS = 1_000_000
LOG = StatementLog(
    {
        0: StatementLine(0, "SELECT n FROM a", (), (), ("a",)),
        1: StatementLine(1, "UPDATE a SET n = ?", ("a",), (), ()),
        2: StatementLine(2, "SELECT n FROM b FOR UPDATE", (), ("b",), ()),
    },
    (KindLine(0, "read", (0,)), KindLine(1, "write", (0, 1)), KindLine(2, "lock", (1, 2))),
)


def attempts(rows: list[tuple[int, int, int, Outcome]]) -> np.ndarray:
    """Attempts from (start in ms, end in ms, kind, outcome), each a transaction of its own."""
    made = np.zeros(len(rows), dtype=ATTEMPT)
    for number, (start, end, kind, outcome) in enumerate(rows):
        made[number]["started"] = start * MS
        made[number]["body"] = (end - start) * MS
        made[number]["kind"] = kind
        made[number]["outcome"] = outcome
        made[number]["transaction"] = number
        made[number]["attempt"] = 1
        made[number]["flags"] = Flag.FINAL
        made[number]["sqlstate"] = b"40001" if outcome is Outcome.CONFLICT else b""
    return made


def test_the_number_in_flight_is_averaged_over_each_attempt() -> None:
    """Two that overlap by half: one and a half were in flight on average."""
    rows = attempts(
        [(0, 10, 0, Outcome.COMMITTED), (5, 15, 0, Outcome.COMMITTED), (20, 30, 0, Outcome.COMMITTED)]
    )

    assert mean_in_flight(rows).tolist() == pytest.approx([1.5, 1.5, 1.0])


def test_the_number_in_flight_agrees_with_a_count_at_many_instants() -> None:
    """Random attempts, against the plain definition."""
    rng = np.random.default_rng(14)
    starts = np.sort(rng.integers(0, 200, 40))
    rows = attempts(
        [
            (int(s), int(s + d), 0, Outcome.COMMITTED)
            for s, d in zip(starts, rng.integers(1, 30, 40), strict=True)
        ]
    )
    begin, end = rows["started"] / MS, (rows["started"] + rows["body"]) / MS
    instants = np.arange(0, 240, 0.05) + 0.025
    number = ((begin[:, None] <= instants) & (instants < end[:, None])).sum(axis=0)
    expected = [number[(instants >= b) & (instants < e)].mean() for b, e in zip(begin, end, strict=True)]

    assert mean_in_flight(rows).tolist() == pytest.approx(expected)


def test_conflicts_count_for_every_table_of_their_transactions() -> None:
    """Under the strongest access of the transaction to the table."""
    rows = attempts(
        [
            (0, 1, 0, Outcome.COMMITTED),
            (2, 3, 1, Outcome.CONFLICT),
            (4, 5, 1, Outcome.COMMITTED),
            (6, 7, 2, Outcome.CONFLICT),
        ]
    )
    seen = summarise_observed(LOG, rows, counts_in(rows, MeasuredInterval(0, 8 * MS)))

    tables = {(row["table"], row["access"]): (row["attempts"], row["conflicts"]) for row in seen["tables"]}
    statements = {row["text"]: (row["attempts"], row["conflicts"]) for row in seen["statements"]}
    assert tables == {("a", "writes"): (3, 2), ("b", "locks"): (1, 1), ("a", "reads"): (1, 0)}
    assert statements == {
        "UPDATE a SET n = ?": (3, 2),
        "SELECT n FROM a": (3, 1),
        "SELECT n FROM b FOR UPDATE": (1, 1),
    }
    assert seen["in_flight"]["mean"] == pytest.approx(0.5)


def test_levels_with_few_attempts_are_left_out() -> None:
    """A rate from fewer than 20 attempts is left to chance."""
    alone = [(10 * n, 10 * n + 5, 1, Outcome.COMMITTED) for n in range(20)]
    pairs = [(1_000 + 10 * n, 1_005 + 10 * n, 1, Outcome.CONFLICT) for n in range(9) for _ in "ab"]
    rows = attempts(alone + pairs)

    levels = summarise_observed(LOG, rows, counts_in(rows, MeasuredInterval(0, 2_000 * MS)))["in_flight"][
        "levels"
    ]

    assert [(level["from"], level["attempts"], level["conflicts"]) for level in levels] == [(1, 20, 0)]
