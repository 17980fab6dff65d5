"""`begin=apart`: hotrow's sessions send BEGIN in a round trip of its own, which takes the snapshot."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from hotrow.errors import UsageError
from hotrow.targets.session import BLOCKING, Waiting
from hotrow.targets.target import Target, parse_target, start
from reports.words.facts import facts
from tests.support.dsql_endpoint import offered
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

UPDATE = "UPDATE counter SET value = value + 1 WHERE id = 0"
FULL_SPEED = "rtt=0,commit=0"


@pytest.fixture(scope="module")
def cluster(dsn: str) -> Iterator[str]:
    """The endpoint as a `--host` that sends BEGIN apart."""
    assert dsn
    with offered() as offer:
        yield offer.host(begin="apart")


def commit_after_another(target: Target, schema: str) -> str:
    """The answer to COMMIT of a write, if another commits the same row between BEGIN and the write."""
    with (
        closing(target.connect(BLOCKING, schema)) as late,
        closing(target.connect(BLOCKING, schema)) as other,
    ):
        late.run("CREATE TABLE counter (id bigint PRIMARY KEY, value bigint NOT NULL)")
        late.run("INSERT INTO counter VALUES (0, 0)")
        late.begin()
        assert late.last_statement is None
        other.execute(UPDATE)
        try:
            assert late.execute(UPDATE).count == 1
            return late.commit()
        except psycopg.errors.SerializationFailure as error:
            return str(error.diag.message_primary)
        finally:
            late.run("DROP TABLE counter")


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        (f"local:{FULL_SPEED},begin=apart", "change conflicts with another transaction (OC000)"),
        (f"local:{FULL_SPEED}", "COMMIT"),
        (f"local:{FULL_SPEED},begin=with-first", "COMMIT"),
        (f"plain:{FULL_SPEED},begin=apart", "COMMIT"),
    ],
)
def test_the_snapshot_is_that_of_begin_if_it_is_sent_apart(schema: str, host: str, answer: str) -> None:
    """PostgreSQL itself takes the snapshot at the first statement all the same."""
    assert commit_after_another(start(parse_target(host)), schema) == answer


def test_on_a_cluster_too(cluster: str, schema: str) -> None:
    """The endpoint takes the snapshot at BEGIN, as Aurora DSQL does, and the label says that it is apart."""
    target = parse_target(cluster)

    assert target.label.endswith(", begin apart")
    assert commit_after_another(target, schema).endswith("(OC000)")


@pytest.mark.parametrize(("host", "slept"), [("local", "2 2 5"), ("local:begin=apart", "2 2 2 5")])
def test_begin_is_one_round_trip_more(dsn: str, schema: str, host: str, slept: str) -> None:
    """The sleeps of a transaction of two statements, in ms."""
    assert dsn
    asked_s: list[float] = []
    waiting = Waiting(BLOCKING.ready, asked_s.append, clock=lambda: sum(asked_s))
    with closing(start(parse_target(host)).connect(waiting, schema)) as session:
        session.begin()
        session.execute("SELECT 1")
        session.execute("SELECT 2")
        assert session.commit() == "COMMIT"
    assert " ".join(f"{seconds * 1e3:g}" for seconds in asked_s) == slept


def test_a_transaction_without_a_statement_is_rolled_back(schema: str) -> None:
    """BEGIN was sent, so ROLLBACK is sent too, and the session goes on."""
    with closing(start(parse_target(f"local:{FULL_SPEED},begin=apart")).connect(BLOCKING, schema)) as session:
        session.begin()
        session.rollback()
        session.begin()
        assert session.execute("SELECT 1").rows == [(1,)]
        assert session.commit() == "COMMIT"


def test_run_json_and_the_report_say_which() -> None:
    """In run.json both are named. The label, which every footer has, names what is not the default."""
    apart, usual = parse_target("local:begin=apart"), parse_target("local")
    assert (apart.description("18")["begin"], usual.description("18")["begin"]) == ("apart", "with-first")
    assert apart.label == "local (rtt 2ms, commit 5ms, begin apart)"
    assert parse_target("postgresql://h/d?begin=apart").label == "postgresql h, repeatable read, begin apart"

    summary = sample_summary()
    assert dict(facts(summary))["BEGIN"] == "with the first statement"  # a run of an older version
    summary["run"]["target"]["begin"] = "apart"
    assert dict(facts(summary))["BEGIN"] == "a round trip of its own"


@pytest.mark.parametrize(
    "host",
    [
        "local:begin=now",
        "plain:begin=",
        "postgresql://h/d?begin=first",
        "dsql://a.dsql.eu-west-1.on.aws?begin=x",
    ],
)
def test_another_value_is_refused(host: str) -> None:
    """In one line that names both."""
    with pytest.raises(UsageError, match=r"begin=.* is unknown; use begin=apart or begin=with-first"):
        parse_target(host)
