"""Random interleavings of up to four sessions: every answer is the oracle's, and no statement waits."""

# ruff: noqa: S311, S608 - seeded; names and numbers of our own

from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hotrow.standin.rewriting.rewrite import rewrite
from tests.support import si_oracle as oracle
from tests.support.interleaving import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CASES = 40
"""Interleavings of one test: a second or less."""
TABLES = ("item", *oracle.CHILDREN)


@dataclass
class Stage:
    """Four sessions on one set of tables, and one that resets them."""

    setup: psycopg.Connection[Any]
    sessions: list[psycopg.Connection[Any]]

    def reset(self, rng: random.Random, ids: int) -> oracle.Database:
        """Fill the tables with some rows; a database of the oracle with the same rows."""
        database = oracle.Database()
        rows = oracle.Transaction(database)
        for number in range(1, ids + 1):
            if rng.random() < 0.7:
                rows.insert("item", [(number, rng.choice((None, number)), 0)])
        for table in oracle.CHILDREN:
            for number in range(1, ids + 1):
                item = rng.randint(1, ids)
                if rng.random() < 0.4 and ("item", item) in rows.rows:
                    rows.insert(table, [(number, item, 0)])
        self._fill(rows.rows)
        rows.commit()
        return database

    def _fill(self, rows: dict[oracle.Key, oracle.Row]) -> None:
        with self.setup.transaction():
            for table in reversed(TABLES):
                self.setup.execute(f"DELETE FROM {table}".encode())
            for (table, number), (other, v) in rows.items():
                value = "NULL" if other is None else other
                self.setup.execute(f"INSERT INTO {table} VALUES ({number}, {value}, {v})".encode())

    def contents(self) -> dict[oracle.Key, oracle.Row]:
        """All rows in the tables."""
        rows: dict[oracle.Key, oracle.Row] = {}
        for table in TABLES:
            for number, other, v in self.setup.execute(f"SELECT * FROM {table}".encode()).fetchall():
                rows[table, number] = (other, v)
        return rows

    def ask(self, session: int, sql: str) -> str:
        """The answer, in the notation of tests/support/interleaving.py; a wait of two seconds is an error."""
        try:
            cursor = self.sessions[session].execute(rewrite(sql).encode())
        except psycopg.Error as error:
            marker = " OC000" if str(error.diag.message_primary).endswith("(OC000)") else ""
            return f"{error.sqlstate}{marker}"
        if cursor.description is None:
            return str(cursor.statusmessage)
        return "; ".join(", ".join(map(str, row)) for row in cursor.fetchall())


def connect(dsn: str, schema: str) -> psycopg.Connection[Any]:
    options = f"-c search_path={schema} -c statement_timeout=2s"
    return psycopg.connect(dsn, autocommit=True, options=options)


@contextmanager
def set_stage(dsn: str, schema: str, tables: Iterable[str]) -> Iterator[Stage]:
    with ExitStack() as stack:
        setup = stack.enter_context(connect(dsn, schema))
        setup.execute(f"CREATE SCHEMA {schema}".encode())
        for statement in tables:
            setup.execute(rewrite(statement).encode())
        yield Stage(setup, [stack.enter_context(connect(dsn, schema)) for _ in range(4)])
        setup.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@pytest.fixture(scope="module")
def stage(dsn: str) -> Iterator[Stage]:
    with set_stage(dsn, "interleavings", oracle.SCHEMA) as stage:
        yield stage


def random_steps(rng: random.Random, ids: int) -> list[list[oracle.Step]]:
    """The steps of each session: transactions, and statements outside of transactions."""
    sessions = []
    for _ in range(rng.choice((2, 2, 3, 4))):
        steps: list[oracle.Step] = []
        for _ in range(rng.choice((1, 2, 3, 5))):
            body = [oracle.random_step(rng, ids) for _ in range(rng.randint(1, 4))]
            end = rng.choices((oracle.COMMIT, oracle.ROLLBACK), (9, 1))[0]
            begin = rng.choice((oracle.BEGIN, oracle.BEGIN_ALONE))
            steps += body[:1] if rng.random() < 0.15 else [begin, *body, end]
        sessions.append(steps)
    return sessions


def difference(stage: Stage, seed: int) -> str | None:
    """The first answer of a random interleaving that is not the oracle's, with everything before it."""
    rng = random.Random(seed)
    ids = rng.choice((2, 3, 4))
    database, pending = stage.reset(rng, ids), random_steps(rng, ids)
    models = [oracle.Session(database) for _ in pending]
    lines = [f"-- seed {seed}, rows {database.rows}"]
    while any(pending):
        turn = rng.choice([i for i, steps in enumerate(pending) if steps])
        step = pending[turn].pop(0)
        expected, answer = models[turn].answer(step), stage.ask(turn, step.sql)
        lines.append(f"{'abcd'[turn]}: {step.sql} -> {expected}")
        if answer not in expected.split(" or "):
            for session in stage.sessions:
                session.rollback()
            return "\n".join((*lines, f"-- but the stand-in said {answer}"))
    if stage.contents() != database.rows:
        return "\n".join((*lines, f"-- left {stage.contents()} instead of {database.rows}"))
    return None


@pytest.mark.parametrize("seed", range(0, 20 * CASES, CASES))
def test_random_interleavings_are_answered_as_the_oracle_says(stage: Stage, seed: int) -> None:
    """Reads, counts, errors and every COMMIT follow snapshot isolation and the conflict matrix."""
    assert [found for case in range(seed, seed + CASES) if (found := difference(stage, case))] == []


def test_tables_without_primary_keys_are_answered_as_tables_with_them(dsn: str) -> None:
    """The rows that a statement writes are found by their values, and conflict by their hidden keys."""
    with set_stage(dsn, "hidden_keys", oracle.SCHEMA_WITHOUT_PRIMARY_KEYS) as stage:
        assert [found for case in range(3 * CASES) if (found := difference(stage, case))] == []


TWO_PARENTS = """
    setup: CREATE TABLE parent (id int PRIMARY KEY)                                 -> CREATE TABLE
    setup: CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)    -> CREATE TABLE
    setup: INSERT INTO parent VALUES (1), (2)                                       -> INSERT 0 2
"""


def played(dsn: str, schema: str, script: str) -> list[tuple[str, str, str]]:
    """The steps of a script whose answers are not the expected ones."""
    steps = play(dsn, schema, "\n".join(rewritten(line) for line in script.splitlines()))
    return [step for step in steps if step[1] != step[2]]


def rewritten(line: str) -> str:
    """A line of a script with its statement rewritten."""
    session, colon, rest = line.partition(": ")
    sql, arrow, answer = rest.rpartition("->")
    return f"{session}{colon}{rewrite(sql.strip())} {arrow}{answer}"


def test_a_session_that_refers_to_two_parents_in_turn_leaves_no_orphan(dsn: str, schema: str) -> None:
    """A committed FOR KEY SHARE conflicts with an older DELETE, whatever its session reads next."""
    script = """
        a: BEGIN                                -> BEGIN
        a: DELETE FROM parent WHERE id = 1      -> DELETE 1
        b: INSERT INTO child VALUES (1, 1)      -> INSERT 0 1
        b: INSERT INTO child VALUES (2, 2)      -> INSERT 0 1
        a: COMMIT                               -> 40001 OC000
    """
    assert played(dsn, schema, TWO_PARENTS + script) == []


def test_a_row_that_refers_to_its_own_table_is_no_orphan(dsn: str, schema: str) -> None:
    """A foreign key of a table to itself reads its row FOR KEY SHARE as any other does."""
    script = """
        a: CREATE TABLE node (id int PRIMARY KEY, up int REFERENCES node)   -> CREATE TABLE
        a: INSERT INTO node VALUES (1)                                      -> INSERT 0 1
        a: BEGIN                                                            -> BEGIN
        a: DELETE FROM node WHERE id = 1                                    -> DELETE 1
        b: INSERT INTO node VALUES (2, 1)                                   -> INSERT 0 1
        a: COMMIT                                                           -> 40001 OC000
    """
    assert played(dsn, schema, script) == []
