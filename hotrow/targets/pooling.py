"""Whether a pooler in front of the server loses a session's prepared statements or settings.

A pooler in transaction mode sends each transaction of a session to any free server connection. On that
connection a prepared statement may be unknown (26000) or prepared by another session (42P05), and the
`search_path` may be another session's. PgBouncer keeps prepared statements from version 1.21 on
(`max_prepared_statements`), but not settings.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.targets.session import PostgresSession

ANSWER_DEADLINE_S = 5.0
"""For one answer. A pooler with a single connection never gives the second session one."""
_LOST_STATEMENT_STATES = frozenset({"26000", "42P05"})
"""Invalid SQL statement name; duplicate prepared statement. A session's statement names are unique, so
without a pooler neither occurs."""
_FIX = "connect to the server directly, or set the pooler to session mode"
LOST_STATEMENTS = (
    "a pooler in transaction mode loses prepared statements: "
    f"{_FIX} (max_prepared_statements in PgBouncer keeps only the statements)"
)
LOST_SETTINGS = f"a pooler in transaction mode loses session settings such as search_path: {_FIX}"
_SET = 'SET search_path TO "$user", public, hotrow_check'
_SHOW = "SHOW search_path"


def explain_pooling(error: Exception) -> str | None:
    """The explanation of an error that a lost prepared statement causes; None for every other error."""
    is_lost = isinstance(error, psycopg.Error) and error.sqlstate in _LOST_STATEMENT_STATES
    return LOST_STATEMENTS if is_lost else None


def find_pooling(open_session: Callable[[], PostgresSession]) -> str | None:
    """What a pooler makes these sessions lose, and the fix; None if they lose nothing.

    The first session prepares a statement and sets `search_path`. Then the second opens a transaction, which
    takes the server connection that was last free. Then the first uses its statement and setting again.

    Raises:
        psycopg.Error: the test could not be completed.
    """
    with (
        closing(open_session()) as first,
        closing(open_session()) as second,
    ):
        try:
            first.run(_SET)
            before = first.execute(_SHOW).rows
            second.begin()
            second.execute(_SHOW)
            after = first.execute(_SHOW).rows
            second.rollback()
            second.run("RESET search_path")
        except psycopg.Error as error:
            explanation = explain_pooling(error)
            if explanation is None:
                raise
            return explanation
        return None if before == after else LOST_SETTINGS
