"""`self.engine`: SQLAlchemy's engines, sessions and ORM on the connection that hotrow watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hotrow.errors import UsageError
from hotrow.scenario import Tally
from tests.support.app_calls import Caller, Counted, calling
from tests.support.playing import FULL_SPEED, PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("hotrow_home")


class Base(DeclarativeBase):
    """The tables of an application."""


class Counter(Base):
    """One counter."""

    __tablename__ = "counter"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)


@pytest.fixture(scope="module", params=[FULL_SPEED, PLAIN], ids=["local", "plain"])
def stage(hotrow_home: object, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """One user on each kind of target."""
    del hotrow_home
    with calling(request.param) as caller:
        yield caller


def engine_of(caller: Caller) -> Any:
    return caller.engine("postgresql+psycopg://", {})


def increment(session: Session, key: int = 0) -> None:
    counter = session.get_one(Counter, key)
    counter.value += 1


def test_a_session_is_one_attempt_without_what_the_dialect_asks(stage: Caller) -> None:
    """Neither the dialect's questions at its first connection nor the pool's ROLLBACK is an attempt."""
    before = stage.totals()

    def orm(_: Any) -> None:
        with Session(engine_of(stage)) as session:
            increment(session)
            session.commit()

    assert stage.call(orm) == ["t0.1 committed final"]
    assert stage.call(orm) == ["t0.1 committed final"]
    assert stage.totals() == [before[0] + 2, *before[1:]]


def test_core_and_autocommit(stage: Caller) -> None:
    """`engine.begin()`, and an engine at the level AUTOCOMMIT."""
    statement = sa.update(Counter).where(Counter.id == 1).values(value=Counter.value + 1)
    before = stage.totals()

    def core(_: Any) -> None:
        with engine_of(stage).begin() as connection:
            connection.execute(statement)

    def autocommit(_: Any) -> None:
        with engine_of(stage).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(statement)

    assert stage.call(core) == ["t0.1 committed final"]
    assert stage.call(autocommit) == ["t0.1 committed final"]
    assert stage.call(core) == ["t0.1 committed final"]
    assert stage.totals()[1] == before[1] + 3


def test_a_retry_loop_around_sessions(stage: Caller) -> None:
    """A conflict that SQLAlchemy raises in its own class is a conflict; the last one is a give-up."""

    def twice(_: Any) -> None:
        for attempt in (1, 2):
            try:
                with Session(engine_of(stage)) as session, session.begin():
                    increment(session)
                    stage.spoil()
            except DBAPIError:
                if attempt == 2:
                    raise

    assert stage.call(twice) == ["t0.1 conflict", "t0.2 conflict final"]
    assert stage.records[-1]["sqlstate"] == "40001"


def test_a_lost_connection_is_replaced(stage: Caller) -> None:
    """The pool asks for another one within the call, and it is watched as well."""

    def lose(_: Any) -> None:
        engine = engine_of(stage)
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE counter SET value = value + 1 WHERE id = 2"))

    held: list[Any] = []

    def lose_and_leave(_: Any) -> None:
        first = engine_of(stage).raw_connection()
        first.cursor().execute("SELECT 1")
        first.invalidate()
        leave_open(engine_of(stage))

    def leave_open(engine: Any) -> None:
        connection = engine.raw_connection()
        connection.cursor().execute("UPDATE counter SET value = value + 1 WHERE id = 2")
        held.append(connection)

    assert stage.call(lose) == ["t0.1 error", "t0.2 committed final"]
    before = stage.totals()
    assert stage.call(lose_and_leave) == ["t0.1 rejected", "t0.2 error final"]
    assert "a transaction was left open" in stage.notes[-1].message
    held.pop().close()
    assert stage.totals() == before


def test_a_connection_that_hotrow_retires_is_replaced(stage: Caller) -> None:
    """Between two calls, as at the age limit of a session. The pool finds out without a round trip."""

    def orm(_: Any) -> None:
        with Session(engine_of(stage)) as session, session.begin():
            increment(session)

    assert stage.call(orm) == ["t0.1 committed final"]
    stage.connections.close()
    assert stage.call(orm) == ["t0.1 committed final"]


def test_a_second_connection_at_once_is_refused(stage: Caller) -> None:
    """One user has one connection; the message says what to do."""

    def two(_: Any) -> None:
        engine = engine_of(stage)
        with engine.connect() as first, engine.connect() as second:
            first.execute(sa.text("SELECT 1"))
            second.execute(sa.text("SELECT 1"))

    assert stage.call(two) == ["t0.1 error final"]
    assert "a second connection was taken from self.engine" in stage.notes[-1].message


def test_values_are_adapted_as_the_dialect_wants(stage: Caller) -> None:
    """A JSON serializer of the application's is used, as with a connection of its own."""
    with calling(PLAIN) as other:
        engine = other.engine("postgresql+psycopg://", {"json_deserializer": lambda _: "mine"})

        def read(_: Any) -> None:
            with engine.begin() as connection:
                read.value = connection.scalar(sa.text("SELECT '{}'::json"))  # type: ignore[attr-defined]

        assert other.call(read) == ["t0.1 committed final"]
        assert read.value == "mine"  # type: ignore[attr-defined]
    del stage


def test_options_that_choose_connections_are_refused(stage: Caller) -> None:
    """The pool is hotrow's; so is the time at which there is an engine."""
    with (
        calling(PLAIN) as other,
        pytest.raises(UsageError, match="engine_options: poolclass is set by hotrow"),
    ):
        other.engine("postgresql+psycopg://", {"poolclass": None})
    with pytest.raises(UsageError, match="engine is there only while run_app"):
        Counted().engine  # noqa: B018 - it raises
    assert stage.tally() != Tally(0, 0)
