"""A script as a scenario: draws, writes, kinds, retries and what follows, without a database."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.errors import UsageError
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import Result, Scenario
from hotrow.script.finding_scripts import find_any_scenario
from hotrow.script.source_text import ScriptError
from tests.support.scripting import script_of

if TYPE_CHECKING:
    from pathlib import Path

KEYS = 5


class Told:
    """A session that keeps what it is told, and answers every statement with the same rows."""

    def __init__(self, rows: list[tuple[Any, ...]] | None = None, columns: tuple[str, ...] = ()) -> None:
        self.said: list[tuple[Any, ...]] = []
        self._result = Result(rows or [], len(rows or []), columns)

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.said.append((sql, *parameters))
        return self._result

    def think(self, seconds: float) -> None:
        self.said.append(("think", seconds))


def source(keys: int = KEYS) -> KeySource:
    return KeySource(parse_skew("uniform").table(keys), np.random.default_rng(3))


def works(scenario: Scenario, count: int, keys: int = KEYS) -> list[Any]:
    rng, drawn = np.random.default_rng(4), source(keys)
    return [scenario.draw(drawn, rng) for _ in range(count)]


def said(scenario: Scenario, work: Any) -> list[tuple[Any, ...]]:
    session = Told()
    scenario.run(session, work)
    return session.said


@pytest.mark.parametrize(("keys", "values"), [(5, {1, 3, 5, 7, 9}), (10, set(range(1, 11))), (1, {1})])
def test_keys_are_spread_over_the_range_of_the_variable(keys: int, values: set[int], tmp_path: Path) -> None:
    """Key 0 is the first value. A key is always the same value, whatever the script's own distribution."""
    text = "\\set aid random_zipfian(1, 10, 1.5)\nUPDATE t SET n = 1 WHERE id = :aid;"
    scenario = script_of(text, tmp_path, key="aid")

    drawn = works(scenario, 200, keys)

    pairs = {(work.writes, said(scenario, work)[0][1]) for work in drawn}
    assert pairs == {((key,), value) for key, value in enumerate(sorted(values))}


def test_more_keys_than_values_are_refused(tmp_path: Path) -> None:
    """Two keys would be one row."""
    text = "\\set aid random(1, 10)\nUPDATE t SET n = 1 WHERE id = :aid;"

    with pytest.raises(ScriptError, match="aid has 10 values, fewer than --keys 11"):
        works(script_of(text, tmp_path, key="aid"), 1, 11)


def test_two_keys_are_different(tmp_path: Path) -> None:
    """As the two accounts of a transfer."""
    text = "\\set a random(1, 5)\n\\set b random(1, 5)\nBEGIN;\nUPDATE t SET n = :a WHERE id = :b;\nEND;"
    scenario = script_of(text, tmp_path, key="a+b")

    assert scenario.keys_per_transaction == 2
    assert all(len(set(work.writes)) == 2 for work in works(scenario, 50))


@pytest.mark.parametrize(
    ("statement", "writes"),
    [
        ("UPDATE t SET n = 1 WHERE id = :aid", True),
        ("DELETE FROM t WHERE id = :aid", True),
        ("SELECT n FROM t WHERE id = :aid FOR UPDATE", True),
        ("INSERT INTO t VALUES (:aid) ON CONFLICT (id) DO NOTHING", True),
        ("WITH w AS (UPDATE t SET n = 1 WHERE id = :aid RETURNING n) SELECT * FROM w", True),
        ("SELECT n FROM t WHERE id = :aid", False),
        ("INSERT INTO history VALUES (:aid)", False),
        ("UPDATE t SET n = 1 WHERE id = 7", False),
    ],
)
def test_writes_are_the_keys_in_statements_that_write(statement: str, writes: bool, tmp_path: Path) -> None:
    """A plain INSERT makes a row that nobody else knows."""
    scenario = script_of(f"\\set aid random(1, 10)\n{statement};", tmp_path, key="aid")

    assert {len(work.writes) for work in works(scenario, 5)} == {int(writes)}


def test_a_retry_repeats_variables_and_random_numbers(tmp_path: Path) -> None:
    """Also those that are drawn inside the transaction."""
    text = (
        "\\set a random(1, 1000000)\nBEGIN;\n\\set b random(1, 1000000)\n\\set a :a + 1\nSELECT :a, :b;\nEND;"
    )
    scenario = script_of(text, tmp_path)
    first, second = works(scenario, 2)

    assert said(scenario, first) == said(scenario, first)
    assert said(scenario, first) != said(scenario, second)


def test_transactions_follow_each_other(tmp_path: Path) -> None:
    """Each is a kind of its own. Sleep between them is no part of a transaction."""
    text = """\\set a 1
\\sleep 2 ms
UPDATE t SET n = :a;
\\set a :a + 1
\\sleep 3 ms
BEGIN;
\\sleep 4 ms
UPDATE u SET n = :a;
END;
\\sleep 5 ms
"""
    scenario = script_of(text, tmp_path, define="")
    (first,) = works(scenario, 1)

    assert said(scenario, first) == [("UPDATE t SET n = $1::int4", 1)]
    second = scenario.follow()
    assert second is not None
    assert said(scenario, second) == [("think", 0.004), ("UPDATE u SET n = $1::int4", 2)]
    assert scenario.follow() is None
    assert [kind.partition(":")[2] for kind in scenario.kinds] == ["3", "6"]
    assert (first.kind, first.pause_s, second.kind, second.pause_s) == (0, 0.002, 1, 0.003)
    assert works(scenario, 1)[0].pause_s == pytest.approx(0.007)
    assert not scenario.is_one_transaction


def test_a_retry_of_a_later_transaction_starts_there(tmp_path: Path) -> None:
    """What committed before is not repeated, and its variables stand."""
    scenario = script_of("SELECT n FROM t \\gset\nUPDATE t SET n = :n + 1;", tmp_path)
    (first,) = works(scenario, 1)
    scenario.run(Told([(41,)], ("n",)), first)
    second = scenario.follow()

    assert said(scenario, second) == said(scenario, second) == [("UPDATE t SET n = $1::int4 + 1", 41)]


def test_statements_of_a_pipeline_go_together(tmp_path: Path) -> None:
    """In one round trip, with the values that the variables had."""

    class Batch(Told):
        def execute_together(self, statements: list[tuple[Any, ...]]) -> list[Result]:
            self.said.append(tuple(statements))
            return [self._result for _ in statements]

    text = "\\startpipeline\n\\set a 1\nSELECT :a;\n\\set a 2\nSELECT ':a';\n\\endpipeline"
    scenario = script_of(text, tmp_path)
    session = Batch()
    scenario.run(session, works(scenario, 1)[0])

    assert session.said == [(("SELECT $1::int4", (1,), True), ("SELECT '2'", (), False))]


def test_scripts_are_drawn_by_their_weights(tmp_path: Path) -> None:
    """3 to 1, within six standard deviations."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.sql").write_text(f"SELECT '{name}';")
    scenario = find_any_scenario(f"{tmp_path}/a.sql@3,{tmp_path}/b.sql", {})()

    counts = Counter(work.kind for work in works(scenario, 2000))

    assert scenario.kinds == ("a", "b")
    assert abs(counts[0] - 1500) < 6 * (2000 * 0.75 * 0.25) ** 0.5


def test_an_execution_without_a_statement_is_passed_over(tmp_path: Path) -> None:
    """If no execution has one, that is an error and no endless loop."""
    scenario = script_of("\\if random(1, 2) = 1\nSELECT 1;\n\\endif", tmp_path)
    assert len(works(scenario, 20)) == 20

    with pytest.raises(UsageError, match="no statement was reached"):
        works(script_of("\\if false\nSELECT 1;\n\\endif", tmp_path), 1)


def test_the_class_of_a_script_is_made_once(tmp_path: Path) -> None:
    """Cells are compared by the class of their scenario."""
    (tmp_path / "Mine_1.sql").write_text("SELECT 1;")
    path = str(tmp_path / "Mine_1.sql")

    assert find_any_scenario(path, {}) is find_any_scenario(path, {})
    assert find_any_scenario(path, {}).name == "mine-1"


def test_what_a_script_leaves_open_is_said(tmp_path: Path) -> None:
    """No key, no check, and statements that are transactions of their own."""
    text = "\\set aid random(1, 10)\nUPDATE t SET n = 1 WHERE id = :aid;"

    assert [note.code for note in script_of(text, tmp_path).notes()] == [
        "no_key_named",
        "statement_transactions",
        "no_check",
    ]
    assert [note.code for note in find_any_scenario("tpcb-like", {})(key="aid").notes()] == []
