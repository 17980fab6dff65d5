"""Which scenario a locustfile runs, and its knobs as Locust's options."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from locust import events

from hotrow.console import report_error
from hotrow.errors import HotrowError, UsageError
from hotrow.knob import knobs_of
from hotrow.run.options import SCENARIO, env_var
from hotrow.scenario.calling import make_scenario
from hotrow.scenario.loading import MODULE_PREFIX, find_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locust.argument_parser import LocustArgumentParser

    from hotrow.scenario import Scenario


def declared_scenario(kinds: Iterable[type[Any]], chosen: str | None) -> Scenario:
    """The scenario of a locustfile: the one its user class names, or the one that `--scenario` chooses.

    Raises:
        UsageError: none is named, or the chosen one is unknown.
    """
    for kind in kinds:
        own: Scenario | None = getattr(kind, "scenario", None)
        if own is not None:
            return own
        if getattr(kind, "scenarios", None):
            return make_scenario(find_scenario(chosen or SCENARIO.default or "", kind.scenarios), {})
    raise UsageError("the locustfile's user class names no scenario; set `scenario = YourScenario()`")


def declare_knobs_of(kind: type[Any]) -> None:
    """Have the knobs of a user class's scenario become options as soon as Locust makes its parser.

    Not of a user class that stands beside the scenario which a sweep has loaded: the sweep's has the same.
    """
    if kind.__module__.startswith(MODULE_PREFIX):
        return

    def declare(parser: LocustArgumentParser, **_: Any) -> None:
        try:
            scenario = declared_scenario([kind], _chosen_ahead())
        except HotrowError:
            return  # said in one line when the run is refused
        try:
            declare_knobs(parser, scenario, listed=bool(kind.scenarios))
        except HotrowError as error:
            report_error(error)
            sys.exit(error.exit_code)  # what a listener raises otherwise is only logged

    events.init_command_line_parser.add_listener(declare)


def declare_knobs(parser: LocustArgumentParser, scenario: Scenario, *, listed: bool) -> None:
    """Add an option for each of the scenario's knobs, its default what the scenario has.

    Args:
        parser: Locust's.
        scenario: whose knobs.
        listed: whether an option takes several values by commas, as in a sweep.

    Raises:
        UsageError: a knob has the name of an option that is there already.
    """
    for name, knob in knobs_of(type(scenario)).items():
        try:
            parser.add_argument(
                knob.flag,
                default=str(scenario.knobs[name]),
                env_var=env_var(knob.flag),
                help=f"{knob.meaning}: {knob.allowed}" + (", by commas" if listed else ""),
                choices=None if listed else knob.choices or None,
            )
        except argparse.ArgumentError:
            reason = f"knob {name} of {scenario.name}: {knob.flag} is an option already"
            raise UsageError(f"{reason}; call the knob otherwise") from None


def _chosen_ahead() -> str | None:
    """What `--scenario` says, read before the parser is complete: it decides which options there are."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument(SCENARIO.flag, default=os.environ.get(SCENARIO.env_var))
    chosen: str | None = peek.parse_known_args(sys.argv[1:])[0].scenario
    return chosen
