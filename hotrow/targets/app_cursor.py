"""The cursors of an application's watched connection: psycopg's own classes, or those of the application.

psycopg sends every statement of a cursor through the methods below. Each of them tells the connection what is
sent and sends it as the target needs it. No result is changed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from psycopg import pq
from psycopg._cursor_base import BaseCursor

from hotrow.targets.server_errors import error_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg._queries import PostgresQuery
    from psycopg.pq.abc import PGresult


@lru_cache(64)
def watched(cursor_class: Any) -> Any:
    """The class of cursors that are watched and otherwise as this one."""
    if issubclass(cursor_class, WatchedCursor):
        return cursor_class
    names = {"__slots__": (), "__module__": cursor_class.__module__, "__doc__": cursor_class.__doc__}
    return type(cursor_class.__name__, (WatchedCursor, cursor_class), names)


def adopt(work: Any) -> None:
    """Watch the cursor whose work is about to begin, if it was made without `connection.cursor()`.

    So do psycopg itself, for types, and `psycopg.ClientCursor(connection)`. The work is a generator that has
    not begun.
    """
    frame = getattr(work, "gi_frame", None)
    cursor: Any = None if frame is None else frame.f_locals.get("self")
    if isinstance(cursor, BaseCursor) and not isinstance(cursor, WatchedCursor):
        cursor_class: Any = type(cursor)
        cursor.__class__ = watched(cursor_class)


class WatchedCursor:
    """The part of a watched cursor that tells the connection what it sends."""

    __slots__ = ()
    _conn: Any
    """The `hotrow.targets.app_connection.AppConnection`."""

    def _start_query(self, query: Any = None) -> Any:
        self._conn.expect_statement()
        return super()._start_query(query)  # type: ignore[misc] # psycopg's, of the other base class

    def _execute_send(self, query: PostgresQuery, **options: Any) -> None:
        written = query.query
        query.query = self._conn.outgoing(written, alone=not query.params)
        try:
            super()._execute_send(query, **options)  # type: ignore[misc] # the same
        finally:
            query.query = written  # psycopg uses it again: as a key, and in executemany()

    def _send_prepare(self, name: bytes, query: PostgresQuery) -> None:
        written = query.query
        query.query = self._conn.prepared(written)
        try:
            super()._send_prepare(name, query)  # type: ignore[misc] # the same
        finally:
            query.query = written

    def _send_query_prepared(self, name: bytes, pgq: PostgresQuery, **options: Any) -> None:
        self._conn.outgoing(pgq.query, alone=False)
        super()._send_query_prepared(name, pgq, **options)  # type: ignore[misc] # the same

    def _set_results(self, results: Sequence[PGresult]) -> None:
        self._conn.answered(results)
        super()._set_results(results)  # type: ignore[misc] # the same

    def _raise_for_result(self, result: PGresult) -> NoReturn:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise error_of(result, of_stand_in=self._conn.is_of_stand_in)
        super()._raise_for_result(result)  # type: ignore[misc] # the same
        raise AssertionError("psycopg raises")
