"""The tables of one run: made, filled, observed and dropped, outside every measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from hotrow.errors import TargetError

if TYPE_CHECKING:
    from hotrow.scenario import Scenario, State
    from hotrow.targets.session import PostgresSession, Waiting
    from hotrow.targets.target import Target

_TABLES_OF_SCHEMA = "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'"


class Stage:
    """A schema of the run's own, so that runs at the same time never touch each other's rows."""

    def __init__(self, target: Target, schema: str, scenario: Scenario, waiting: Waiting) -> None:
        self.schema = schema
        self._target = target
        self._scenario = scenario
        self._waiting = waiting

    def build(self, keys: int) -> None:
        """Create the schema and its tables, fill them with `keys` rows, and have the stand-in adopt them.

        Raises:
            TargetError: the server refused; one line says what.
        """
        session = self._target.connect(self._waiting)
        try:
            session.run(f"CREATE SCHEMA {self.schema}")
            session.run(f"SET search_path TO {self.schema}")
            if self._target.kind == "local":
                session.run("SET hotrow.adopt TO off")  # seeded at full speed, then adopted
            for statement in (*self._scenario.tables(), *self._scenario.seed(keys)):
                session.run(statement)
            if self._target.kind == "local":
                for (table,) in session.execute(_TABLES_OF_SCHEMA, self.schema).rows:
                    session.run(f"SELECT hotrow.adopt('{self.schema}.{table}')")
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise TargetError(f"cannot set up the tables of {self._scenario.name}: {reason}") from None
        finally:
            session.close()

    def observe(self) -> State:
        """What the scenario's check reads, in one transaction."""
        session = self._open()
        try:
            session.begin()
            state = self._scenario.observe(session)
            session.rollback()
        finally:
            session.close()
        return state

    def drop(self) -> None:
        """Remove the schema with all in it."""
        session = self._open()
        try:
            session.run(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        finally:
            session.close()

    def _open(self) -> PostgresSession:
        return self._target.connect(self._waiting, self.schema)
