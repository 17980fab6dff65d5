"""A sweep as a LoadTestShape: Locust asks it how many users there should be, the conductor knows the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locust import LoadTestShape, events

from hotrow.load import listeners
from hotrow.load.locust_options import add_arguments
from hotrow.run.options import Where

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser

SPAWN_PER_S = 100.0
"""Aurora DSQL accepts 100 new connections per second."""


@events.init_command_line_parser.add_listener
def _add_arguments(parser: LocustArgumentParser, **_: Any) -> None:
    add_arguments(parser, Where.SWEEP_FILE)


class SweepShape(LoadTestShape):
    """Holds the users that the conductor's cell wants; ends when the conductor has walked all cells."""

    abstract = True
    use_common_options = False

    def tick(self) -> tuple[int, float] | None:
        """The wanted number of users, and how many may start per second; None at the end."""
        assert self.runner is not None  # noqa: S101 - Locust sets it before it ticks
        conductor = listeners.context_of(self.runner.environment).conductor
        assert conductor is not None  # noqa: S101 - a shape ticks only where the run is led
        users = conductor.wanted_users
        return None if users is None else (users, SPAWN_PER_S)
