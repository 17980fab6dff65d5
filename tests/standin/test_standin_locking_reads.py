"""Locking reads of joins: the answers of plain PostgreSQL, and the rows that it locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.differential import Pair
from tests.support.locking_reads import TABLES, difference

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pair(dsn: str) -> Iterator[Pair]:
    """The same tables on the stand-in and in a plain database."""
    with psycopg.connect(dsn, autocommit=True) as maker:
        maker.execute("CREATE DATABASE locking_reads TEMPLATE template0")
        there = make_conninfo(dsn, dbname="locking_reads")
        with psycopg.connect(dsn, autocommit=True) as here, psycopg.connect(there, autocommit=True) as plain:
            both = Pair(here, plain)
            with both.schema("locking_reads"):
                for statement in TABLES:
                    both.both(statement)
                yield both
        maker.execute("DROP DATABASE locking_reads")


@pytest.mark.parametrize("seed", range(0, 800, 200))
def test_random_reads_lock_what_postgresql_locks(pair: Pair, seed: int) -> None:
    """The same rows and errors; and the same rows are locked, as strongly as the statement says."""
    assert [found for case in range(seed, seed + 200) if (found := difference(pair, case))] == []
