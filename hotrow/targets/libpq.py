"""libpq's asynchronous calls: sending everything in its buffer, and taking the next result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGconn, PGresult


def flush(pgconn: PGconn, wait: Callable[[bool], None]) -> None:
    """Send everything in libpq's buffer. `wait(True)` waits until the socket is readable or writable.

    Answers are read at the same time, because a server may stop reading until its answers are taken.
    """
    while pgconn.flush():
        wait(True)
        pgconn.consume_input()


def next_result(pgconn: PGconn, wait: Callable[[bool], None]) -> PGresult | None:
    """The next result, as from `PQgetResult`. `wait(False)` waits until the socket is readable."""
    while pgconn.is_busy():
        wait(False)
        pgconn.consume_input()
    return pgconn.get_result()
