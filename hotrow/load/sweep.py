"""A sweep as a LoadTestShape: Locust asks it how many users there should be, the conductor knows the cell."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from locust import LoadTestShape, events

from hotrow.load import run as run_module
from hotrow.load.options import env_var

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust.argument_parser import LocustArgumentParser

SPAWN_PER_S = 100.0
"""Aurora DSQL accepts 100 new connections a second."""


OPTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "--scenario": ("transfer", "which scenario runs"),
        "--levels": ("1,2,4,8,16,32", "numbers of users, by commas"),
        "--duration": ("5s", "measured time of a cell"),
        "--repeats": ("1", "how often each cell is measured"),
    }
)
"""Default and meaning of the options that a sweep has besides `hotrow.load.options.OPTIONS`."""
PROGRESS_HELP = "show a progress bar instead of Locust's own log and tables"


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser, **_: Any) -> None:
    """Declare the options that only a sweep has."""
    for flag, (default, text) in OPTIONS.items():
        parser.add_argument(flag, default=default, env_var=env_var(flag), help=text)
    parser.add_argument("--progress", action="store_true", help=PROGRESS_HELP, include_in_web_ui=False)


class SweepShape(LoadTestShape):
    """Holds the users that the conductor's cell wants; ends when the conductor has walked all cells."""

    abstract = True
    use_common_options = False

    def tick(self) -> tuple[int, float] | None:
        """Users wanted and how many of them a second; None at the end."""
        assert self.runner is not None  # noqa: S101 - Locust sets it before it ticks
        conductor = run_module.of(self.runner.environment).conductor
        assert conductor is not None  # noqa: S101 - a shape ticks only where the run is led
        users = conductor.wanted_users
        return None if users is None else (users, SPAWN_PER_S)
