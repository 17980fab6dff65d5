"""The tables of one run: made, filled, observed and dropped, outside every measurement."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from hotrow.errors import TargetError
from hotrow.targets.target import RULES_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.scenario import Scenario, State
    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

_TABLES_OF_SCHEMA = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'"


class Stage:
    """A schema of the run's own, so that runs at the same time never touch each other's rows."""

    def __init__(self, target: Target, schema: str, scenario: Scenario, waiting: Waiting) -> None:
        self.schema = schema
        self._target = _behind_the_scenes(target)
        self._scenario = scenario
        self._waiting = waiting

    def build(self, keys: int) -> None:
        """Create the schema and its tables, fill them with `keys` rows, and have the stand-in adopt them.

        Raises:
            TargetError: the server refused; one line says what.
        """
        with self._session("set up the tables") as session:
            session.run(f"CREATE SCHEMA {self.schema}")
            session.run(f"SET search_path TO {self.schema}")
            if self._target.kind == "local":
                session.run("SET hotrow.adopt TO off")  # seeded at full speed, then adopted
            for statement in (*self._scenario.tables(), *self._scenario.seed(keys)):
                session.run(statement)
            if self._target.kind == "local":
                for (table,) in session.execute(_TABLES_OF_SCHEMA, self.schema).rows:
                    session.run(f"SELECT hotrow.adopt('{self.schema}.{table}')")

    def observe(self) -> State:
        """What the scenario's check reads, in one transaction.

        Raises:
            TargetError: the server refused or is gone.
        """
        with self._session("read the tables", self.schema) as session:
            session.begin()
            state = self._scenario.observe(session)
            session.rollback()
        return state

    def drop(self) -> None:
        """Remove the schema with all in it.

        Raises:
            TargetError: the server refused or is gone.
        """
        with self._session("drop the tables", self.schema) as session:
            session.run(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    @contextmanager
    def _session(self, purpose: str, search_path: str | None = None) -> Iterator[PostgresSession]:
        """A session for one purpose; what the server says against it becomes one line."""
        try:
            session = self._target.connect(self._waiting, search_path)
            try:
                yield session
            finally:
                session.close()
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise TargetError(f"cannot {purpose} of {self._scenario.name}: {reason}") from None


def _behind_the_scenes(target: Target) -> Target:
    """The target as its tables are made: the stand-in without rules, its tables still ordinary ones.

    So rows are loaded in any number, and other runs on the same server are not told that the schema changed.
    """
    if target.kind != "local":
        return target
    conninfo = make_conninfo(target.conninfo, options=RULES_OFF)
    return replace(target, conninfo=conninfo, rewrite=_spell_as_postgresql)


def _spell_as_postgresql(statement: str) -> str:
    return re.sub(r"\bINDEX\s+ASYNC\b", "INDEX", statement)
