"""The conversion of Python values to parameters of a statement."""

from __future__ import annotations

import enum
import ipaddress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.targets.session import PostgresSession


class Colour(enum.Enum):
    """A plain enumeration. PostgreSQL gets its name."""

    RED = "r"


class Level(enum.IntEnum):
    """An enumeration of integers."""

    HIGH = 3


class Word(enum.StrEnum):
    """An enumeration of texts."""

    YES = "yes"


@pytest.fixture(scope="module")
def session(dsn: str) -> Iterator[PostgresSession]:
    """A session on the stand-in."""
    assert dsn
    session = start(parse_target("local:rtt=0,commit=0")).connect(BLOCKING)
    yield session
    session.close()


@pytest.mark.parametrize(
    ("kind", "value", "arrives"),
    [
        ("bytea", b"abc", b"abc"),
        ("bytea", b"'\\\0\xff", b"'\\\0\xff"),
        ("bytea", bytearray(b"abc"), b"abc"),
        ("bigint[]", [1, 2], [1, 2]),
        ("bigint[]", [], []),
        ("bigint[][]", [[1, None], [3, 4]], [[1, None], [3, 4]]),
        ("text[]", ['a,"', "{", None], ['a,"', "{", None]),
        ("jsonb", Jsonb({"a": [1, "it's"]}), {"a": [1, "it's"]}),
        ("numeric", Decimal("1.50"), Decimal("1.50")),
        ("timestamptz", datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("date", date(2026, 1, 2), date(2026, 1, 2)),
        ("time", time(1, 2, 3), time(1, 2, 3)),
        ("interval", timedelta(days=1, seconds=5), timedelta(days=1, seconds=5)),
        ("uuid", UUID(int=7), UUID(int=7)),
        ("inet", ipaddress.ip_address("::1"), ipaddress.ip_address("::1")),
        ("text", Colour.RED, "RED"),
        ("bigint", Level.HIGH, 3),
        ("text", Word.YES, "yes"),
        ("bigint", np.int64(2**40), 2**40),
        ("bool", np.bool_(True), True),
        ("float8", 0.1, 0.1),
        ("float8", float("-inf"), float("-inf")),
        ("text", "é\n\\'", "é\n\\'"),
        ("numeric", 10**30, Decimal(10) ** 30),
    ],
)
def test_a_value_keeps_its_meaning(session: PostgresSession, kind: str, value: Any, arrives: Any) -> None:
    """Psycopg adapts the value. It is sent as text and read back as a Python value."""
    assert session.execute(f"SELECT $1::{kind}", value).rows == [(arrives,)]


def test_the_server_infers_the_types(session: PostgresSession, schema: str) -> None:
    """No type is sent, so an int fits a numeric, a text fits a uuid, and a list fits an array."""
    session.run(f"CREATE TABLE {schema}.item (id bigint PRIMARY KEY, price numeric, code uuid, data bytea)")
    session.search(schema)
    session.execute("INSERT INTO item VALUES ($1, $2, $3, $4)", 1, 2, str(UUID(int=3)), b"\0\1")

    rows = session.execute("SELECT price, code, data FROM item WHERE id = ANY($1)", [1, 5]).rows

    assert rows == [(Decimal(2), UUID(int=3), b"\0\1")]


class Strange:
    """A type without an equivalent in PostgreSQL."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": 1}, "a parameter is a dict: pass json.dumps"),
        ({1, 2}, "a parameter has the type set"),
        (Strange(), "a parameter has the type Strange"),
        (range(3), "a parameter has the type range"),
        ([Strange()], "a parameter has the type list"),
        ([1, "a"], "mixed types"),
        ("a\0b", "NUL"),
        (["a\0b"], "NUL"),
        ("a\ud800", "surrogate"),
        (["a\ud800"], "surrogate"),
    ],
)
def test_a_value_without_an_equivalent_is_refused(session: PostgresSession, value: Any, message: str) -> None:
    """Neither its `repr` nor a text cut off at a NUL is sent. The session stays usable."""
    with pytest.raises(psycopg.Error, match=message) as caught:
        session.execute("SELECT $1", value)

    assert "\n" not in str(caught.value)
    assert not session.describe(caught.value).lost
    assert session.execute("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize("statement", ["SELECT 1\0, 2", "SELECT '\ud800'"])
def test_a_statement_that_libpq_would_cut_off_is_refused(session: PostgresSession, statement: str) -> None:
    """Libpq cuts a text off at its first NUL."""
    with pytest.raises(psycopg.DataError):
        session.execute(statement)
    with pytest.raises(psycopg.DataError):
        session.run(statement)

    assert session.execute("SELECT 1").rows == [(1,)]
