"""Whether a server, or a pooler in front of it, keeps a session's prepared statements and settings.

A pooler in transaction mode gives each transaction of a session to whichever server connection is free. Then
a statement that was prepared is unknown there (26000) or was prepared by another session (42P05), and the
`search_path` of a run is another's. PgBouncer from 1.21 on keeps prepared statements
(`max_prepared_statements`), but not settings.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.targets.session import PostgresSession

PATIENCE_S = 5.0
"""For one answer: a pooler with a single connection never gives the second session one."""
_LOST = frozenset({"26000", "42P05"})
"""Invalid SQL statement name; duplicate prepared statement. A session's names are its own, so without a
pooler it meets neither."""
_REMEDY = "connect to the server itself, or set the pooler to session mode"
STATEMENTS_LOST = (
    "a pooler in transaction mode loses prepared statements: "
    f"{_REMEDY} (max_prepared_statements in PgBouncer keeps the statements alone)"
)
SETTINGS_LOST = f"a pooler in transaction mode loses session settings such as search_path: {_REMEDY}"
_SET = 'SET search_path TO "$user", public, hotrow_check'
_ASK = "SHOW search_path"


def explain_pooling(error: Exception) -> str | None:
    """What a prepared statement that got lost means; None for every other error."""
    lost = isinstance(error, psycopg.Error) and error.sqlstate in _LOST
    return STATEMENTS_LOST if lost else None


def find_pooling(open_session: Callable[[], PostgresSession]) -> str | None:
    """Why the sessions that this opens are not kept apart and what to do; None if they are.

    One session prepares a statement and sets `search_path`. While another has a transaction open, which takes
    the server connection that was free last, the first uses both again.

    Raises:
        psycopg.Error: it cannot be told.
    """
    with (
        closing(open_session()) as first,
        closing(open_session()) as second,
    ):
        try:
            first.run(_SET)
            before = first.execute(_ASK).rows
            second.begin()
            second.execute(_ASK)
            after = first.execute(_ASK).rows
            second.rollback()
            second.run("RESET search_path")
        except psycopg.Error as error:
            lost = explain_pooling(error)
            if lost is None:
                raise
            return lost
        return None if before == after else SETTINGS_LOST
