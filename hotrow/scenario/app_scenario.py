"""Scenarios whose transactions are run by a function of the user's own, with its own retry loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from hotrow.errors import UsageError
from hotrow.scenario.contract import Scenario

if TYPE_CHECKING:
    from hotrow.scenario.contract import Session, Work

MakeEngine = Callable[[str, Mapping[str, Any]], Any]
"""Makes the SQLAlchemy engine of a user from its URL and options, or returns the one that it made before."""


class AppScenario(Scenario):
    """A scenario that calls an application's own code; docs/your-application.md shows how to write one.

    It defines `run_app` instead of `run`. The code begins, commits and repeats its transactions itself.
    hotrow watches the connection and records each transaction that it sees.
    """

    engine_url: ClassVar[str] = "postgresql+psycopg://"
    """The URL of `engine`, which chooses the dialect. The address is the target's, whatever it says."""
    engine_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Further arguments of `sqlalchemy.create_engine`, except those that choose connections and pool."""
    _make_engine: MakeEngine | None = None

    @abstractmethod
    def run_app(self, connection: Any, work: Work) -> None:
        """Do the work with this `psycopg.Connection`, or with `self.engine`, retries included.

        Raise `hotrow.errors.Rejected` if the business rule says no. Any other exception is the failure of the
        transaction: a give-up if its last attempt ended in a conflict, otherwise an error.
        """

    def run(self, session: Session, work: Work) -> None:  # noqa: ARG002 - it only refuses
        """Not used: hotrow calls `run_app`."""
        raise UsageError(f"{self.name} is an AppScenario: hotrow calls run_app(), not run()")

    def attach(self, make_engine: MakeEngine) -> None:
        """Tell the scenario of one user how to make that user's engine."""
        self._make_engine = make_engine

    @property
    def engine(self) -> Any:
        """The user's SQLAlchemy engine, whose only connection is the one that `run_app` gets.

        Raises:
            UsageError: SQLAlchemy is not installed, or the scenario is not being run.
        """
        if self._make_engine is None:
            raise UsageError(f"{self.name}: engine is there only while run_app() runs")
        return self._make_engine(self.engine_url, self.engine_options)
