"""The schemas that runs, probes and `hotrow doctor` have left on a server."""

from __future__ import annotations

import psycopg

from hotrow.tables.schema_name import PATTERN


def schemas_of_runs(dsn: str) -> set[str]:
    """The names of all schemas whose name has the form that hotrow gives."""
    with psycopg.connect(dsn) as connection:
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE %s"
        return {name for (name,) in connection.execute(query, [PATTERN]).fetchall()}
