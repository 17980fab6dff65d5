"""Scripts of interleaved sessions, one step per line: `a: SQL -> expected` runs SQL in session a.

```
a: BEGIN                                      -> BEGIN
b: BEGIN                                      -> BEGIN
a: UPDATE account SET balance = 1 WHERE id=0  -> UPDATE 1
```
The answer to a step is its rows, its command tag or its SQLSTATE. Values are separated by commas, rows by
`;`. No step may wait for another session, because each is answered before the next is sent.
"""

from __future__ import annotations

from contextlib import ExitStack

import psycopg

STEP_TIMEOUT_S = 10.0
"""Limit for one step. A step that waits for a lock fails the test instead of hanging it."""


def play(dsn: str, schema: str, script: str) -> list[tuple[str, str, str]]:
    """Run every step; return (step, expected, observed) for each."""
    played = []
    with ExitStack() as stack:
        sessions: dict[str, psycopg.Connection] = {}
        for line in filter(None, (line.strip() for line in script.splitlines())):
            step, _, expected = (part.strip() for part in line.partition("->"))
            name, _, sql = (part.strip() for part in step.partition(":"))
            if name not in sessions:
                sessions[name] = stack.enter_context(_open(dsn, schema))
            played.append((step, expected, _observe(sessions[name], sql)))
    return played


def _open(dsn: str, schema: str) -> psycopg.Connection:
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute(f"SET search_path TO {schema}")
    connection.execute(f"SET statement_timeout = '{STEP_TIMEOUT_S}s'")
    return connection


def _observe(connection: psycopg.Connection, sql: str) -> str:
    try:
        cursor = connection.execute(sql)
    except psycopg.Error as error:
        marker = (error.diag.message_primary or "").rpartition("(OC")[2]
        return (
            f"{error.sqlstate} OC{marker[:-1]}"
            if marker.endswith(")") and len(marker) == 4
            else str(error.sqlstate)
        )
    if cursor.description is None:
        return str(cursor.statusmessage)
    return "; ".join(", ".join(map(str, row)) for row in cursor.fetchall())
