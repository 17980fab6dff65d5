"""The connection of one user: opened at first use, and replaced when it is broken or too old."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from hotrow.errors import TargetError
from hotrow.targets.session import DriverFailure, PostgresSession, Waiting, describe

if TYPE_CHECKING:
    from hotrow.targets.target import Target


class UserConnection:
    """Gives the attempt loop its session, in one of the target's regions."""

    def __init__(self, target: Target, schema: str, waiting: Waiting, region: int = 0) -> None:
        self._target = target
        self._schema = schema
        self._waiting = waiting
        self._region = region
        self._session: PostgresSession | None = None
        self._retire_at_s = math.inf

    @property
    def is_open(self) -> bool:
        """Whether the next attempt has a connection."""
        return self._session is not None and self._session.usable

    def try_to_open(self) -> None:
        """Open ahead of the first attempt. If this fails, that attempt tries again and records the error."""
        with suppress(psycopg.Error, TargetError):
            self.session()

    def move_to(self, schema: str) -> None:
        """Use the tables of this schema from now on. If this fails, the next attempt connects again."""
        if schema == self._schema:
            return
        self._schema = schema
        if self._session is not None:
            try:
                self._session.search(schema)
            except psycopg.Error:
                self.close()

    def session(self) -> PostgresSession:
        """The open session. The loop calls this between attempts, so no open transaction is lost.

        Raises:
            psycopg.Error: no session could be opened.
            TargetError: there are no credentials to connect with.
        """
        self._close_if_old()
        if self._session is None or not self._session.usable:
            self.close()
            self._session = self._target.connect(self._waiting, self._schema, self._region)
            self._retire_at_s = self._waiting.clock() + self._life_s()
        return self._session

    def describe(self, error: Exception) -> DriverFailure:
        """The meaning of an error while opening: there is certainly no connection."""
        return describe(error, lost=True)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _close_if_old(self) -> None:
        """Close a session that has reached its age limit, before the server closes it during an attempt."""
        if self._session is not None and self._waiting.clock() >= self._retire_at_s:
            self.close()
            self._target.connectors[self._region].counts.retired += 1

    def _life_s(self) -> float:
        connectors = self._target.connectors
        return connectors[self._region].session_life_s() if connectors else math.inf
