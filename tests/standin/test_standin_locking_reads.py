"""Locking reads of joins: the answers of plain PostgreSQL, and the rows that it locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.differential import Pair, paired
from tests.support.locking_reads import TABLES, difference

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pair(dsn: str) -> Iterator[Pair]:
    """The same tables on the stand-in and in a plain database."""
    with paired(dsn, "locking_reads") as both, both.schema("locking_reads"):
        for statement in TABLES:
            both.both(statement)
        yield both


@pytest.mark.parametrize("seed", range(0, 800, 200))
def test_random_reads_lock_what_postgresql_locks(pair: Pair, seed: int) -> None:
    """The same rows and errors; and the same rows are locked, as strongly as the statement says."""
    assert [found for case in range(seed, seed + 200) if (found := difference(pair, case))] == []
