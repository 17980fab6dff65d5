"""ON CONFLICT, MERGE and unique indexes of all kinds: the answers of plain PostgreSQL tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support.differential import Pair, paired
from tests.support.upserts import create, difference

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pair(dsn: str) -> Iterator[Pair]:
    """The same table on the stand-in and in a plain database."""
    with paired(dsn, "upserts") as both, both.schema("upserts"):
        create(both)
        yield both


@pytest.mark.parametrize("seed", range(0, 40, 10))
def test_random_upserts_are_answered_as_by_a_plain_table(pair: Pair, seed: int) -> None:
    """Conflict targets of all kinds, in WITH queries too, with MERGE and writes between them."""
    assert [found for run in range(seed, seed + 10) if (found := difference(pair, run, 20))] == []


def refused(pair: Pair, statement: str) -> tuple[psycopg.errors.Diagnostic, psycopg.errors.Diagnostic]:
    """What the stand-in and plain PostgreSQL say about a statement that both refuse."""
    diagnostics = []
    for connection, text in ((pair.here, rewrite(statement)), (pair.plain, statement)):
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(text.encode())
        diagnostics.append(caught.value.diag)
    return diagnostics[0], diagnostics[1]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO pot VALUES (2, 'x', 'ANN', 'k')",
        """INSERT INTO pot VALUES (2, 'x', 'y', 'k', 8, -3) ON CONFLICT (id) DO NOTHING""",
        "INSERT INTO pot VALUES (1, NULL, NULL) ON CONFLICT (id) DO NOTHING",
        "INSERT INTO pot VALUES (1, 'b', 'x', NULL, -99) ON CONFLICT DO NOTHING",
        "INSERT INTO pot VALUES (1) ON CONFLICT ON CONSTRAINT nothing DO NOTHING",
        "INSERT INTO pot VALUES (1) ON CONFLICT (lower(code)) DO NOTHING",
        "MERGE INTO pot USING (VALUES (1), (1)) AS s (x) ON id = x WHEN MATCHED THEN UPDATE SET n = 9",
    ],
)
def test_refusals_say_what_postgresql_says(pair: Pair, statement: str) -> None:
    """The message, the DETAIL, the HINT and the name of the constraint are PostgreSQL's."""
    pair.both("DELETE FROM pot")
    pair.both("INSERT INTO pot VALUES (1, 'a', 'Ann', 'k', 8, 3)")
    here, plain = refused(pair, statement)

    fields = (
        "sqlstate",
        "message_primary",
        "message_detail",
        "message_hint",
        "constraint_name",
        "column_name",
    )
    assert [getattr(here, field) for field in fields] == [getattr(plain, field) for field in fields]


def test_a_duplicate_that_is_not_visible_is_found_at_commit(pair: Pair, dsn: str) -> None:
    """The value of an expression index conflicts as any unique value does."""
    pair.both("DELETE FROM pot")
    with psycopg.connect(dsn, options="-c search_path=upserts") as other:
        other.execute("INSERT INTO pot VALUES (1, 'a', 'Ann', 'k')")
        pair.here.execute("INSERT INTO pot VALUES (2, 'b', 'ANN', 'k')")
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.commit()


def test_the_index_of_a_target_finds_the_row(pair: Pair) -> None:
    """The comparison by index becomes part of the plan, and its expressions are the index's."""
    upserts = {
        "(lower(owner), kind) DO NOTHING": "pot_lower",
        "ON CONSTRAINT pot_code DO NOTHING": "pot_code",
        "(id) DO UPDATE SET n = 1": "pot key",
    }
    explain = "EXPLAIN (FORMAT JSON) INSERT INTO pot VALUES (1)"
    # a small table is read completely, as its statistics advise
    rows = "SELECT g, 'c' || g, 'o' || g, 'k' || g, 1, NULL FROM generate_series(1000, 6000) AS g"
    pair.here.execute(f"INSERT INTO pot__base {rows}".encode())
    pair.here.execute("ANALYZE pot__base")
    plans = {
        index: pair.here.execute(rewrite(f"{explain} ON CONFLICT {upsert}").encode()).fetchall()
        for upsert, index in upserts.items()
    }
    pair.here.execute("DELETE FROM pot__base WHERE id >= 1000")
    pair.here.execute("ANALYZE pot__base")

    assert [index for index, plan in plans.items() if f"'Index Name': '{index}'" not in str(plan)] == []


def test_indexes_that_come_and_go(pair: Pair) -> None:
    """Each new unique index is checked and can be a target; a dropped one is neither."""
    upsert = "INSERT INTO pot VALUES (2, 'b') ON CONFLICT (abs(n)) WHERE id < 5 DO UPDATE SET code = 'c'"
    pair.both("DELETE FROM pot")
    pair.both("INSERT INTO pot (id, n) VALUES (1, 5)")
    answers = [pair.both(upsert)]
    for index in ("CREATE UNIQUE INDEX ASYNC pot_new ON pot (abs(n)) WHERE id < 5", "DROP INDEX pot_new"):
        pair.here.execute(rewrite(index).encode())
        pair.plain.execute(index.replace(" ASYNC", "").encode())
        answers += [pair.both(upsert), pair.both("INSERT INTO pot (id, n) VALUES (3, -5)")]

    assert [here for here, _ in answers] == [plain for _, plain in answers]
    assert [here[1:] for here, _ in answers] == [("42P10",), (), ("23505",), ("42P10",), ()]
