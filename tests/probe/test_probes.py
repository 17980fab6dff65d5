"""Every probe on the stand-in, through its socket and its endpoint: the answers are Aurora DSQL's."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict

from hotrow.commands.probe import probe as command
from hotrow.probe.notation import Probe, Step, load_probes, parse
from hotrow.probe.play import play
from hotrow.probe.sessions import AnswerType
from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint
from hotrow.standin.endpoint.token import ADMIN
from hotrow.targets.target import Target, parse_target, start
from tests.support.schemas import schemas_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBES = load_probes()
SHARED = tuple(probe for probe in PROBES if probe.origin == "PG")

DEADLINE_S = 5.0
"""Longer than a busy machine takes for 3,000 rows, so that a slow step does not seem to wait."""

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
    assert dsn
    return start(parse_target("local:rtt=0,commit=0"))


@pytest.fixture(scope="module")
def endpoint_target(dsn: str) -> Iterator[Target]:
    """The stand-in's endpoint, as a postgresql:// target."""
    assert dsn
    endpoint = ensure_endpoint()
    where = urlencode({"sslmode": "verify-full", "sslrootcert": endpoint.ca})
    host = f"{ADMIN}:{quote(make_token(), safe='')}@{endpoint.host}:{endpoint.port}"
    yield parse_target(f"postgresql://{host}/postgres?{where}")
    stop_endpoint()


@pytest.fixture(scope="module")
def plain(dsn: str) -> Target:
    """A database of the same server without the stand-in's extension: plain PostgreSQL."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain TEMPLATE template0")
    return parse_target(f"postgresql://postgres@/plain?host={conninfo_to_dict(dsn)['host']}")


def deviations(probe: Probe, target: Target) -> list[tuple[str, str, str]]:
    """The session, statement and answer of each step with an unexpected answer."""
    played = play(probe, target, DEADLINE_S)
    assert played.refused == ""
    assert played.lacks is None
    assert played.observed
    return [
        (step.step.session, step.step.sql, str(step.answer)) for step in played.observed if not step.holds
    ]


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_the_stand_in_answers_as_aurora_dsql(target: Target, probe: Probe) -> None:
    """Every step is answered as Aurora DSQL answers it."""
    assert deviations(probe, target) == []


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_the_endpoint_answers_as_aurora_dsql(endpoint_target: Target, probe: Probe) -> None:
    """A client that does not know the stand-in gets the same answers, over TLS and with a token."""
    assert deviations(probe, endpoint_target) == []


@pytest.mark.parametrize("probe", SHARED, ids=[probe.name for probe in SHARED])
def test_expectations_of_postgresql_hold_there(plain: Target, probe: Probe) -> None:
    """Every expectation whose source is PostgreSQL holds there. This tests the expectations themselves."""
    played = play(probe, plain, DEADLINE_S)

    assert [(step.step, step.answer) for step in played.observed if not step.holds] == []
    assert played.refused == ""


def test_a_step_that_waits_is_seen_and_ended_cleanly(dsn: str) -> None:
    """It is shown as `waits`, later steps are not reached, and neither schema nor lock is left."""
    target = start(parse_target("local:rtt=0,commit=0,rules=off"))
    (probe,) = parse([("x.probes", BLOCKED)])
    before = schemas_of_runs(dsn)

    played = play(probe, target, deadline_s=0.3)

    assert played.difference is played.observed[3]
    assert [step.answer.type if step.answer else None for step in played.observed[3:]] == [
        AnswerType.WAITS,
        None,
    ]
    assert schemas_of_runs(dsn) == before
    with psycopg.connect(dsn) as connection:
        ((free,),) = connection.execute("SELECT pg_try_advisory_xact_lock(4711)").fetchall()
    assert free is True


def test_a_set_up_that_is_refused_is_shown_and_leaves_nothing(dsn: str, target: Target) -> None:
    """A refused set-up is a difference of that probe and does not end the matrix."""
    probe = Probe("p", (), "PG", ("CREATE TABLE t (id no_such_type)",), (Step("a", "SELECT 1", ("1",)),))
    before = schemas_of_runs(dsn)

    played = play(probe, target)

    assert not played.holds
    assert played.refused.startswith("set-up refused: 42704 ")
    assert schemas_of_runs(dsn) == before


def test_probes_played_at_once_do_not_meet(dsn: str, target: Target) -> None:
    """Each probe has its own schema."""
    probe = next(probe for probe in PROBES if probe.name == "disjoint writes both commit")
    before = schemas_of_runs(dsn)
    held: list[bool] = []
    threads = [threading.Thread(target=lambda: held.append(play(probe, target).holds)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert held == [True] * 4
    assert schemas_of_runs(dsn) == before


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


@pytest.mark.usefixtures("dsn")
def test_the_command_ends_well_where_all_is_as_expected() -> None:
    """Exit 0, and the table's cell says `same`."""
    answer = CliRunner().invoke(command, ["--only", "disjoint writes both commit"])

    assert answer.exit_code == 0, answer.output
    assert "same" in answer.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing like it"], "--only"),
        (["-H", "mysql://x"], "unknown target"),
        (["--step-deadline", "2"], "--step-deadline"),
    ],
)
def test_wrong_usage_is_reported_before_anything_starts(words: list[str], message: str) -> None:
    """The error is one line that names the option."""
    answer = CliRunner().invoke(command, words)

    assert message in str(answer.exception)
    assert "\n" not in str(answer.exception)
