"""The SQLAlchemy engine of one user. Its only connection is the one that hotrow watches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from psycopg.adapt import AdaptersMap

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.targets.app_connection import AppConnection
    from hotrow.targets.connection import AppUserConnection

NOT_INSTALLED = "self.engine needs SQLAlchemy: install hotrow with the extra hotrow[sqlalchemy]"
SECOND = (
    "a second connection was taken from self.engine while the first is in use: hotrow gives each user one; "
    "end the first session, or pass it on"
)
_OURS = frozenset({"creator", "pool", "poolclass", "pool_size", "max_overflow", "pool_timeout", "module"})


def _defaults(url: str) -> dict[str, Any]:
    """Options that stand unless the scenario sets them.

    SQLAlchemy's own dialect looks for hstore in a savepoint, and Aurora DSQL has neither.
    """
    return {"use_native_hstore": False} if url.startswith("postgresql") else {}


class UserEngine:
    """Makes the engine of one user at its first use, and gives the same one afterwards."""

    def __init__(self, connections: AppUserConnection) -> None:
        self._connections = connections
        self._engine: Any = None
        self._given: AppConnection | None = None

    def __call__(self, url: str, options: Mapping[str, Any]) -> Any:
        """The engine. What its dialect asks at its first connection is not part of any transaction.

        Raises:
            UsageError: SQLAlchemy is not installed, or an option is hotrow's to set.
        """
        if self._engine is None:
            self._engine = self._make(url, options)
        return self._engine

    def _make(self, url: str, options: Mapping[str, Any]) -> Any:
        began_ns = time.perf_counter_ns()
        try:
            from sqlalchemy import create_engine, event, pool  # noqa: PLC0415 - an extra
        except ImportError:
            raise UsageError(NOT_INSTALLED) from None
        if refused := sorted(_OURS & options.keys()):
            raise UsageError(f"engine_options: {refused[0]} is set by hotrow; leave it out")
        engine = create_engine(
            url, **{**_defaults(url), **options}, poolclass=pool.QueuePool, pool_size=1, max_overflow=1
        )
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "checkout", _refuse_closed)
        connection = self._connections.session()
        watcher, connection.watcher = connection.watcher, None
        try:
            engine.connect().close()
        finally:
            connection.watcher = watcher
        if watcher is not None:
            watcher.excuses(time.perf_counter_ns() - began_ns)
        return engine

    def _connect(self, _: Any, __: Any, ___: Any, parameters: dict[str, Any]) -> AppConnection:
        """The user's connection, as SQLAlchemy asks for a new one."""
        if self._given is not None and not self._given.closed:
            raise UsageError(SECOND)
        watcher = None if self._given is None else self._given.watcher
        connection = self._connections.session()
        if watcher is not None and connection.watcher is None:
            watcher.follow(connection)
        context = parameters.get("context")
        if context is not None:  # the dialect's own types
            connection.use_adapters(AdaptersMap(context.adapters))
        self._given = connection
        return connection


def _refuse_closed(connection: AppConnection, _: Any, __: Any) -> None:
    """Let the pool replace a connection that was closed since it was last used."""
    from sqlalchemy.exc import DisconnectionError  # noqa: PLC0415 - there is an engine

    if connection.closed:
        raise DisconnectionError
