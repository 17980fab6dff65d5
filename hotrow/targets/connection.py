"""The connection of one user: opened at first use, and replaced when it is broken or too old."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import psycopg

from hotrow.errors import TargetError
from hotrow.targets.app_opening import connect_app
from hotrow.targets.session import DriverFailure, describe

if TYPE_CHECKING:
    from hotrow.targets.app_connection import AppConnection
    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target


class Opened(Protocol):
    """What a user has opened on the target: a session, or an application's connection."""

    @property
    def usable(self) -> bool:
        """Whether the next attempt can use it."""
        ...

    def search(self, schema: str) -> None:
        """Use the tables of this schema from now on."""
        ...

    def close(self) -> None:
        """Close the connection, whatever its state."""
        ...


Kept = TypeVar("Kept", bound=Opened)


class KeptConnection(ABC, Generic[Kept]):
    """What one user has open in one of the target's regions."""

    def __init__(self, target: Target, schema: str, waiting: Waiting, region: int = 0) -> None:
        self._target = target
        self._schema = schema
        self._waiting = waiting
        self._region = region
        self._session: Kept | None = None
        self._retire_at_s = math.inf

    @abstractmethod
    def _connect(self) -> Kept:
        """Open another one."""

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

    def session(self) -> Kept:
        """The open session. The loop calls this between attempts, so no open transaction is lost.

        Raises:
            psycopg.Error: no session could be opened.
            TargetError: there are no credentials to connect with.
        """
        self._close_if_old()
        if self._session is None or not self._session.usable:
            self.close()
            self._session = self._connect()
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


class UserConnection(KeptConnection["PostgresSession"]):
    """The session in which the attempt loop runs a scenario's transactions."""

    def _connect(self) -> PostgresSession:
        return self._target.connect(self._waiting, self._schema, self._region)


class AppUserConnection(KeptConnection["AppConnection"]):
    """The connection on which an application runs its own transactions."""

    def _connect(self) -> AppConnection:
        return connect_app(self._target, self._waiting, self._schema, self._region)
