"""An application's connection: each way to begin and end a transaction in psycopg is seen for what it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from hotrow.errors import Rejected
from hotrow.scenario import Tally
from tests.support.app_calls import ADD, Caller, add, calling
from tests.support.playing import FULL_SPEED, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("hotrow_home")


@pytest.fixture(scope="module", params=[FULL_SPEED, PLAIN], ids=["local", "plain"])
def stage(hotrow_home: object, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One user on each kind of target."""
    del hotrow_home
    with calling(request.param) as caller:
        yield caller


def commit_it(connection: Any) -> None:
    add(connection)
    connection.commit()


def block(connection: Any) -> None:
    with connection.transaction():
        add(connection)


def whole(connection: Any) -> None:
    with connection:
        add(connection)


def typed(connection: Any) -> None:
    connection.autocommit = True
    for statement in ("BEGIN", ADD % 0, "/* at last */ commit"):
        connection.execute(statement)
    connection.autocommit = False


def text(connection: Any) -> None:
    connection.autocommit = True
    connection.execute(f"BEGIN; {ADD % 0}; COMMIT")
    connection.autocommit = False


def alone(connection: Any) -> None:
    connection.autocommit = True
    add(connection)
    connection.autocommit = False


def piped(connection: Any) -> None:
    with connection.pipeline():
        add(connection)
        connection.commit()


def piped_block(connection: Any) -> None:
    with connection.pipeline(), connection.transaction():
        add(connection)


def piped_alone(connection: Any) -> None:
    connection.autocommit = True
    with connection.pipeline():
        add(connection)
    connection.autocommit = False


def many(connection: Any) -> None:
    with connection.transaction():
        connection.cursor().executemany(ADD, [(0,), (1,)])
        connection.execute("UPDATE counter SET value = value - 1 WHERE id = 1")


def client_side(connection: Any) -> None:
    connection.cursor_factory = psycopg.ClientCursor
    with connection.transaction():
        connection.cursor().executemany(ADD, [(0,), (1,), (1,)])
        connection.execute("UPDATE counter SET value = value - 2 WHERE id = 1")
    connection.cursor_factory = psycopg.Cursor


def other_cursor(connection: Any) -> None:
    """Psycopg makes such cursors itself."""
    with connection.transaction():
        psycopg.ClientCursor(connection).execute(ADD, (0,))


def server_side(connection: Any) -> None:
    with connection.transaction(), connection.cursor(name="ids") as cursor:
        cursor.execute("SELECT id FROM counter ORDER BY id")
        assert [row[0] for row in cursor] == [0, 1, 2]
        add(connection)


def streamed(connection: Any) -> None:
    with connection.transaction():
        rows = connection.cursor(row_factory=dict_row).stream("SELECT id FROM counter ORDER BY id")
        assert [row["id"] for row in rows] == [0, 1, 2]
        add(connection)


def copied(connection: Any) -> None:
    with connection.transaction():
        with connection.cursor().copy("COPY (SELECT 1) TO STDOUT") as copy:
            assert list(copy.rows()) == [("1",)]
        add(connection)


def again(connection: Any) -> None:
    """Psycopg prepares a statement at its sixth execution."""
    with connection.transaction():
        for _ in range(8):
            add(connection, 2)
        connection.execute("UPDATE counter SET value = value - 8 WHERE id = 2")
        add(connection)


@pytest.mark.parametrize(
    "function",
    [
        commit_it,
        block,
        whole,
        typed,
        text,
        alone,
        piped,
        piped_block,
        piped_alone,
        many,
        client_side,
        other_cursor,
        streamed,
        copied,
        again,
    ],
    ids=lambda function: function.__name__,
)
def test_one_transaction_is_one_attempt(stage: Caller, function: Callable[[Any], object]) -> None:
    """Whatever psycopg offers to begin and commit it with; the counter has moved by one."""
    before = stage.totals()

    assert stage.call(function) == ["t0.1 committed final"], stage.notes[-1:]

    assert stage.totals() == [before[0] + 1, *before[1:]]


def loop(connection: Any, *, attempts: int, spoiled: int, spoil: Callable[[], None]) -> None:
    """Retry after a conflict; others conflict with the first `spoiled` attempts."""
    for attempt in range(1, attempts + 1):
        try:
            with connection.transaction():
                connection.execute("SELECT value FROM counter WHERE id = 0")
                if attempt <= spoiled:
                    spoil()
                add(connection)
        except psycopg.errors.SerializationFailure:
            if attempt == attempts:
                raise
        else:
            return


def test_a_retry_loop_is_seen_attempt_by_attempt(stage: Caller) -> None:
    """Two conflicts and a commit are one transaction of three attempts, and the waits are its backoff."""
    first = len(stage.records)

    seen = stage.call(lambda connection: loop(connection, attempts=3, spoiled=2, spoil=stage.spoil))

    assert seen == ["t0.1 conflict", "t0.2 conflict", "t0.3 committed final"]
    records = stage.records[first:]
    assert [record["sqlstate"] for record in records] == ["40001", "40001", ""]
    assert records[0]["backoff_ns"] == 0 < records[1]["backoff_ns"]
    for record in records:
        assert record["body_ns"] > 0
        assert record["commit_ns"] > 0


def test_exhaustion_is_a_give_up(stage: Caller) -> None:
    """The function raises the last conflict."""
    seen = stage.call(lambda connection: loop(connection, attempts=2, spoiled=9, spoil=stage.spoil))

    assert seen == ["t0.1 conflict", "t0.2 conflict final"]


def test_a_swallowed_conflict_is_a_give_up_too(stage: Caller) -> None:
    """What the last attempt did counts, not what the function says."""

    def swallow(connection: Any) -> None:
        with suppress(psycopg.Error):
            loop(connection, attempts=1, spoiled=1, spoil=stage.spoil)

    assert stage.call(swallow) == ["t0.1 conflict final"]


def test_commit_of_an_aborted_transaction_is_no_commit(stage: Caller) -> None:
    """PostgreSQL answers it with ROLLBACK and without an error, and psycopg says nothing."""

    def ignore(connection: Any) -> None:
        with connection.transaction(), suppress(psycopg.Error):
            connection.execute("SELECT 1 / 0")

    before = stage.totals()

    assert stage.call(ignore) == ["t0.1 error final"]

    assert stage.records[-1]["sqlstate"] == "22012"
    assert stage.totals() == before


def test_several_transactions_are_counted_one_by_one(stage: Caller) -> None:
    """What committed before the call failed stays committed; the retry of the second is a retry of it."""

    def both(connection: Any) -> None:
        block(connection)
        loop(connection, attempts=2, spoiled=1, spoil=stage.spoil)
        block(connection)
        raise ValueError("too late")

    seen = stage.call(both)

    assert seen[:3] == ["t0.1 committed final", "t1.1 conflict", "t1.2 committed final"]
    assert seen[3:] == ["t2.1 committed final", "t3.1 error final"]
    assert stage.notes[-1].message == "ValueError: too late"


def reject(connection: Any) -> None:
    with connection.transaction():
        add(connection)
        raise Rejected


def reject_before(connection: Any) -> None:
    del connection
    raise Rejected


def roll_back(connection: Any) -> None:
    add(connection)
    connection.rollback()


def roll_back_block(connection: Any) -> None:
    with connection.transaction(force_rollback=True):
        add(connection)


def reject_with_open(connection: Any) -> None:
    add(connection)
    raise Rejected


@pytest.mark.parametrize(
    "function",
    [reject, reject_before, roll_back, roll_back_block, reject_with_open],
    ids=lambda function: function.__name__,
)
def test_what_is_rolled_back_on_purpose_is_rejected(stage: Caller, function: Callable[[Any], object]) -> None:
    """By `Rejected`, or by a ROLLBACK after which the call returns."""
    before = stage.totals()

    assert stage.call(function) == ["t0.1 rejected final"]

    assert stage.totals() == before


def leave_open(connection: Any) -> None:
    add(connection)


def nothing(connection: Any) -> None:
    del connection


def fails_inside(connection: Any) -> None:
    with connection.transaction():
        add(connection)
        raise KeyError("colour")


def leaves_program(connection: Any) -> None:
    add(connection)
    raise SystemExit(3)


def two_phase(connection: Any) -> None:
    connection.tpc_begin("x")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (leave_open, "a transaction was left open at the end and was rolled back"),
        (nothing, "no transaction was opened on the connection that hotrow gave"),
        (fails_inside, "KeyError: 'colour'"),
        (leaves_program, "RuntimeError: tried to end the program: SystemExit: 3"),
        (two_phase, "NotSupportedError: two-phase commit (tpc_begin) is not measured"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_transaction_is_an_error(
    stage: Caller, function: Callable[[Any], object], message: str
) -> None:
    """With one line that says what is wrong; nothing is left in the tables, and the next call works."""
    before = stage.totals()

    assert stage.call(function) == ["t0.1 error final"]

    assert stage.notes[-1].message.startswith(message)
    assert stage.totals() == before
    assert stage.call(block) == ["t0.1 committed final"]


def test_a_closed_connection_is_replaced(stage: Caller) -> None:
    """A transaction that was open is rolled back by the server."""

    def close(connection: Any) -> None:
        add(connection)
        connection.close()

    before = stage.totals()

    assert stage.call(close) == ["t0.1 rejected final"]
    assert stage.totals() == before
    assert stage.call(block) == ["t0.1 committed final"]


def test_a_server_side_cursor_is_part_of_its_transaction() -> None:
    """Aurora DSQL has none, so this is on ordinary PostgreSQL."""
    with calling(PLAIN) as plain:
        assert plain.call(server_side) == ["t0.1 committed final"]


def test_the_isolation_level_is_the_targets(stage: Caller) -> None:
    """Also of a statement by itself, and of BEGIN as a statement."""

    def levels(connection: Any) -> None:
        connection.autocommit = True
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        connection.autocommit = False

    assert stage.call(levels) == ["t0.1 committed final"]


def test_a_savepoint_is_named_where_there_is_none() -> None:
    """A transaction() inside another one."""

    def nested(connection: Any) -> None:
        with connection.transaction():
            add(connection)
            with connection.transaction():
                add(connection)

    with calling(FULL_SPEED) as local:
        assert local.call(nested) == ["t0.1 error final"]
        assert "SAVEPOINT" in local.notes[-1].message
    with calling(PLAIN) as plain:
        assert plain.call(nested) == ["t0.1 committed final"]


class Killed(BaseException):
    """Raised in a user's greenlet that Locust kills."""


def test_a_call_that_is_killed_is_cut_off_or_unknown() -> None:
    """Unknown if COMMIT is under way. The connection is closed, so the server rolls back what was open."""

    def killed(connection: Any) -> None:
        add(connection)
        raise Killed

    def kill() -> None:
        raise Killed

    def killed_in_commit(connection: Any) -> None:
        connection._delays.before_commit = kill
        block(connection)

    with calling(FULL_SPEED) as caller:
        for function, seen in ((killed, []), (killed_in_commit, ["t0.1 unknown final"])):
            first = len(caller.records)
            with pytest.raises(Killed):
                caller.call(function)
            assert caller.described(first) == seen

        assert caller.call(block) == ["t0.1 committed final"]
        assert caller.totals()[0] == 1


def test_the_tally_of_all_this_agrees_with_the_table() -> None:
    """Commits that were seen are the increments that are there."""
    with calling(FULL_SPEED) as caller:
        for function in (commit_it, block, whole, typed, alone, piped, reject, leave_open, fails_inside):
            caller.call(function)

        assert caller.tally() == Tally(committed=6, unknown=0)
        assert caller.totals()[0] == 6
