"""One user's connection: opened when first asked for, and replaced when it broke."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from hotrow.targets.session import DriverFailure, PostgresSession, Waiting, describe

if TYPE_CHECKING:
    from hotrow.targets.target import Target


class UserConnection:
    """What the attempt loop asks for a session."""

    def __init__(self, target: Target, schema: str, waiting: Waiting) -> None:
        self._target = target
        self._schema = schema
        self._waiting = waiting
        self._session: PostgresSession | None = None

    def try_to_open(self) -> None:
        """Open ahead of the first attempt; where that fails, that attempt tries again and records why."""
        with suppress(psycopg.Error):
            self.session()

    def session(self) -> PostgresSession:
        """The open session.

        Raises:
            psycopg.Error: none can be had.
        """
        if self._session is None or not self._session.usable:
            self.close()
            self._session = self._target.connect(self._waiting, self._schema)
        return self._session

    def describe(self, error: Exception) -> DriverFailure:
        """What an error of opening means: the connection is certainly not there."""
        return describe(error, lost=True)

    def close(self) -> None:
        """Give the connection up."""
        if self._session is not None:
            self._session.close()
            self._session = None
