"""Every probe on the stand-in, over its socket: it answers as Aurora DSQL does, or NOT_YET says why not."""

from __future__ import annotations

import json
import threading
from types import MappingProxyType

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict

from hotrow.probe.command import probe as command
from hotrow.probe.notation import Probe, Step, load_probes, parse
from hotrow.probe.play import play
from hotrow.targets.probing import Kind
from hotrow.targets.target import Target, parse_target, start

PROBES = load_probes()
SHARED = tuple(probe for probe in PROBES if probe.origin == "PG")

DEADLINE_S = 5.0
"""Longer than a busy machine takes for 3,000 rows: what is slow must not look as if it waited."""

_LOCKING = "COMMIT does not check yet what was read FOR UPDATE or FOR KEY SHARE"
_FOREIGN = "CREATE TABLE … REFERENCES meets the view of the adopted table: the set-up is refused"
_REFUSAL = "a statement that Aurora DSQL refuses; nothing on the way to the socket refuses it yet"
_VIEW = "DDL of an adopted table meets its view"
_ONE_DDL = "nothing counts DDL and DML of a transaction yet"
_SCHEMA = "no transaction checks yet whether the schema has changed"
_UPSERT = "PostgreSQL has no ON CONFLICT for a view: it must be rewritten"
_SIZE = "the 10 MiB of a transaction are not counted yet"

NOT_YET: MappingProxyType[str, str] = MappingProxyType(
    {
        "a sequence needs an explicit cache": _REFUSAL,
        "an identity column without an explicit cache is refused": _REFUSAL,
        "a purchase that moves to a customer conflicts with the removal of that customer": _FOREIGN,
        "a purchase and a change of its customer's key conflict": _FOREIGN,
        "a purchase and the removal of its customer: the removal commits second and loses": _FOREIGN,
        "a purchase and the removal of its customer: the purchase commits second and loses": _FOREIGN,
        "a purchase and an update of its customer's name both commit": _FOREIGN,
        "two purchases of one customer both commit": _FOREIGN,
        "a purchase without a visible customer fails at the statement": _FOREIGN,
        "the removal of a customer with visible purchases fails at the statement": _FOREIGN,
        "a customer and its purchase in one transaction commit": _FOREIGN,
        "FOR UPDATE of a join is refused or checks the rows of both tables": _FOREIGN,
        "FOR UPDATE of the row that was relied on prevents write skew": _LOCKING,
        "FOR UPDATE, then another's update: the reader commits second and loses": _LOCKING,
        "FOR UPDATE, then another's update: the writer commits second and loses": _LOCKING,
        "FOR UPDATE against DELETE: the reader commits second and loses": _LOCKING,
        "FOR UPDATE against DELETE: the delete commits second and loses": _LOCKING,
        "FOR UPDATE against a change of the primary key conflicts": _LOCKING,
        "FOR UPDATE against FOR UPDATE conflicts although nobody writes": _LOCKING,
        "FOR UPDATE of a composite key conflicts on that row only": _LOCKING,
        "FOR KEY SHARE against DELETE: the delete commits second and loses": _LOCKING,
        "FOR KEY SHARE against DELETE: the reader commits second and loses": _LOCKING,
        "FOR KEY SHARE against a change of the primary key conflicts": _LOCKING,
        "FOR KEY SHARE against an update of a secondary unique column conflicts": _LOCKING,
        "FOR KEY SHARE against FOR UPDATE: the one who commits second loses": _LOCKING,
        "FOR UPDATE against FOR KEY SHARE: the one who commits second loses": _LOCKING,
        "FOR UPDATE without equality on the whole key is refused or checks every row": _LOCKING,
        "FOR UPDATE of half a composite key is refused or checks every row": _LOCKING,
        "a second DDL statement in a transaction is refused": _ONE_DDL,
        "DDL after DML in a transaction is refused": _ONE_DDL,
        "DML after DDL in a transaction is refused": _ONE_DDL,
        "FOR SHARE is refused": _REFUSAL,
        "FOR NO KEY UPDATE is refused": _REFUSAL,
        "BEGIN ISOLATION LEVEL SERIALIZABLE is refused": _REFUSAL,
        "BEGIN ISOLATION LEVEL READ COMMITTED is refused": _REFUSAL,
        "SET TRANSACTION is refused and aborts the transaction": _REFUSAL,
        "SAVEPOINT is refused and aborts the transaction": _REFUSAL,
        "TRUNCATE is refused": _REFUSAL,
        "temporary tables are refused": _REFUSAL,
        "unlogged tables are refused": _REFUSAL,
        "triggers are refused": _REFUSAL,
        "functions in plpgsql are refused": _REFUSAL,
        "extensions are refused": _REFUSAL,
        "SET statement_timeout is refused": _REFUSAL,
        "ALTER TABLE does not wait for a reader, and the reader gets OC001": _SCHEMA,
        "ALTER TABLE does not wait for a writer, and the writer gets OC001": _SCHEMA,
        "a GRANT by another session is enough for OC001": _SCHEMA,
        "a GRANT by another session is enough for OC001, also where only reads follow": _SCHEMA,
        "more than 10 MiB of data fail at COMMIT": _SIZE,
        "ON CONFLICT DO NOTHING inserts what is new and leaves what is visible": _UPSERT,
        "ON CONFLICT DO UPDATE updates what is visible": _UPSERT,
        "ON CONFLICT sees the transaction's own insert": _UPSERT,
        "of two upserts of one new key the second committer loses": _UPSERT,
        "of two upserts of one visible key the second committer loses": _UPSERT,
        "a table is created, used and dropped": _VIEW,
        "CREATE INDEX without ASYNC is refused": _VIEW,
        "CREATE INDEX ASYNC is accepted and answers with a job": _VIEW,
        "a new column is there for the next statement": _VIEW,
    }
)
"""Probes that the stand-in does not satisfy over the socket, and why; one that starts to pass fails."""

BLOCKED = """
tables one: CREATE TABLE one (id bigint PRIMARY KEY, value bigint)
tables one: INSERT INTO one VALUES (1, 1)

probe: two sessions and one advisory lock
tags: wait
source: PG
tables: one
a: BEGIN -> BEGIN
a: SELECT pg_advisory_xact_lock(4711) -> rows
b: BEGIN -> BEGIN
b: SELECT pg_advisory_xact_lock(4711) -> rows
a: COMMIT -> COMMIT
"""


@pytest.fixture
def target(dsn: str) -> Target:
    """The stand-in at full speed."""
    return start(parse_target("local:rtt=0,commit=0"))


def schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'probe%'").fetchall()
    return {name for (name,) in rows}


@pytest.fixture(scope="module")
def plain(dsn: str) -> Target:
    """A database of the same server that the stand-in knows nothing of: plain PostgreSQL."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain TEMPLATE template0")
    return parse_target(f"postgresql://postgres@/plain?host={conninfo_to_dict(dsn)['host']}")


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_the_stand_in_answers_as_aurora_dsql(target: Target, probe: Probe) -> None:
    """Every step is answered as Aurora DSQL answers it; a listed probe must still differ."""
    played = play(probe, target, DEADLINE_S)

    if probe.name in NOT_YET:
        assert not played.holds, f"it passes now: take it out of NOT_YET ({NOT_YET[probe.name]})"
        return
    assert played.refused == ""
    assert [
        (each.step.session, each.step.sql, each.answer) for each in played.observed if not each.holds
    ] == []
    assert played.lacks is None


@pytest.mark.parametrize("probe", SHARED, ids=[probe.name for probe in SHARED])
def test_what_is_said_to_be_postgresql_s_is(plain: Target, probe: Probe) -> None:
    """An expectation whose source is PG holds on plain PostgreSQL: the expectation itself is tested here."""
    played = play(probe, plain, DEADLINE_S)

    assert [(each.step, each.answer) for each in played.observed if not each.holds] == []
    assert played.refused == ""


def test_every_reason_belongs_to_a_probe() -> None:
    """A renamed probe leaves no reason behind."""
    assert set(NOT_YET) <= {probe.name for probe in PROBES}


def test_a_step_that_waits_is_seen_and_ended_cleanly(dsn: str, target: Target) -> None:
    """It is shown as `waits`, later steps are not reached, and neither schema nor lock is left."""
    (probe,) = parse([("x.probes", BLOCKED)])

    played = play(probe, target, deadline_s=0.3)

    assert played.difference is played.observed[3]
    assert [each.answer.kind if each.answer else None for each in played.observed[3:]] == [Kind.WAITS, None]
    assert schemas(dsn) == set()
    with psycopg.connect(dsn) as connection:
        ((free,),) = connection.execute("SELECT pg_try_advisory_xact_lock(4711)").fetchall()
    assert free is True


def test_a_set_up_that_is_refused_is_shown_and_leaves_nothing(dsn: str, target: Target) -> None:
    """What a target cannot make is that probe's difference, not the end of the matrix."""
    probe = Probe("p", (), "PG", ("CREATE TABLE t (id no_such_type)",), (Step("a", "SELECT 1", ("1",)),))

    played = play(probe, target)

    assert not played.holds
    assert played.refused.startswith("set-up refused: 42704 ")
    assert schemas(dsn) == set()


def test_probes_played_at_once_do_not_meet(dsn: str, target: Target) -> None:
    """Each has a schema of its own."""
    probe = next(each for each in PROBES if each.name == "disjoint writes both commit")
    held: list[bool] = []
    threads = [threading.Thread(target=lambda: held.append(play(probe, target).holds)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert held == [True] * 4
    assert schemas(dsn) == set()


def test_the_command_prints_one_matrix_of_several_targets(dsn: str) -> None:
    """Two hosts are two columns, each at its isolation level; exit 1 because one differs."""
    other = f"postgresql://postgres@/postgres?host={conninfo_to_dict(dsn)['host']}&isolation=serializable"
    words = ["-H", "local", "-H", other, "--only", "the isolation level is repeatable read"]

    answer = CliRunner().invoke(command, [*words, "--json"])
    table = CliRunner().invoke(command, [*words, "--steps"])

    assert (answer.exit_code, table.exit_code) == (1, 1)
    matrix = json.loads(answer.output)
    assert [(target["probes"], target["hold"]) for target in matrix["targets"]] == [(1, 1), (1, 0)]
    (probe,) = matrix["probes"]
    assert [[step["answer"] for step in target["observed"]] for target in probe["targets"]] == [
        ["BEGIN", "repeatable read", "COMMIT"],
        ["BEGIN", "serializable", "COMMIT"],
    ]
    assert "    observed: serializable\n" in table.output
    assert "local (rtt 2ms, commit 5ms): 1 of 1 as Aurora DSQL\n" in table.output


def test_the_command_ends_well_where_all_is_as_expected(dsn: str) -> None:
    """Exit 0, and the table's cell says `same`."""
    answer = CliRunner().invoke(command, ["--only", "disjoint writes both commit"])

    assert answer.exit_code == 0, answer.output
    assert "same" in answer.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "nothing like it"], "--only"),
        (["-H", "mysql://x"], "unknown target"),
        (["--step-deadline", "2"], "--step-deadline"),
    ],
)
def test_wrong_usage_is_said_before_anything_starts(words: list[str], said: str) -> None:
    """One line that names the option."""
    answer = CliRunner().invoke(command, words)

    assert said in str(answer.exception)
    assert "\n" not in str(answer.exception)
