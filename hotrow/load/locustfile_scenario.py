"""The scenario that a locustfile runs, and its knobs as Locust options."""

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
from hotrow.scenario.loading import MODULE_PREFIX
from hotrow.script.finding_scripts import find_any_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locust.argument_parser import LocustArgumentParser

    from hotrow.scenario import Scenario


def locustfile_scenario(user_classes: Iterable[type[Any]], chosen: str | None) -> Scenario:
    """The scenario of a locustfile: the one that its user class names, or the one that `--scenario` chooses.

    Raises:
        UsageError: no user class names a scenario, or two of them run different ones, or the chosen scenario
            is unknown.
    """
    scenarios = {user_class: _scenario_of(user_class, chosen) for user_class in user_classes}
    first = next(iter(scenarios.items()), None)
    if first is None or first[1] is None:
        raise UsageError("the locustfile's user class names no scenario; set `scenario = YourScenario()`")
    for user_class, scenario in scenarios.items():
        if _identity(scenario) != _identity(first[1]):
            raise UsageError(_two_scenarios(*first, user_class, scenario))
    return first[1]


def _scenario_of(user_class: type[Any], chosen: str | None) -> Scenario | None:
    """The scenario of one user class; None if it names none."""
    scenario: Scenario | None = getattr(user_class, "scenario", None)
    if scenario is None and getattr(user_class, "scenarios", None):
        return make_scenario(find_any_scenario(chosen or SCENARIO.default or "", user_class.scenarios), {})
    return scenario


def _identity(scenario: Scenario | None) -> object:
    """Equal for scenarios that are the same."""
    return None if scenario is None else (type(scenario), scenario.knobs)


def _two_scenarios(
    first: type[Any], its_scenario: Scenario | None, other: type[Any], other_scenario: Scenario | None
) -> str:
    its, others = (_described(*each) for each in ((first, its_scenario), (other, other_scenario)))
    return (
        f"{its} and {others}: a run has one scenario; name one user class on the command line "
        f"(locust -f … {first.__name__}), and start one run per scenario"
    )


def _described(user_class: type[Any], scenario: Scenario | None) -> str:
    if scenario is None:
        return f"{user_class.__name__} runs none of hotrow's"
    knobs = ", ".join(f"{name} {value}" for name, value in scenario.knobs.items())
    return f"{user_class.__name__} runs {scenario.name}" + (f" ({knobs})" if knobs else "")


def declare_knobs_of(user_class: type[Any]) -> None:
    """Make options of the knobs of a user class's scenario as soon as Locust creates its parser.

    A user class in a scenario file that a sweep has loaded is left out: the sweep's own user class has the
    same knobs.
    """
    if user_class.__module__.startswith(MODULE_PREFIX):
        return

    def declare(parser: LocustArgumentParser, **_: Any) -> None:
        if not _is_picked(user_class, sys.argv[1:]):
            return
        try:
            scenario = locustfile_scenario([user_class], _chosen_ahead())
        except HotrowError:
            return  # reported when the run is refused
        try:
            declare_knobs(parser, scenario, listed=bool(user_class.scenarios))
        except HotrowError as error:
            report_error(error)
            sys.exit(error.exit_code)  # Locust only logs other exceptions of a listener

    events.init_command_line_parser.add_listener(declare)


def _is_picked(user_class: type[Any], words: list[str]) -> bool:
    """Whether Locust will run this user class: if its command line names some, it runs only those."""
    root = [base for base in user_class.__mro__ if hasattr(base, "scenarios")][-1]
    named = _names_below(root).intersection(words)
    return not named or user_class.__name__ in named


def _names_below(user_class: type[Any]) -> set[str]:
    names = {user_class.__name__}
    return names.union(*map(_names_below, user_class.__subclasses__()))


class KnobDefault(str):
    """The default of a knob's option."""

    __slots__ = ()


def declare_knobs(parser: LocustArgumentParser, scenario: Scenario, *, listed: bool) -> None:
    """Add an option for each knob of the scenario; its default is the scenario's value.

    Args:
        parser: Locust's parser.
        scenario: the scenario with the knobs.
        listed: whether an option takes several values separated by commas, as in a sweep.

    Raises:
        UsageError: a knob has the name of an option that exists already.
    """
    for name, knob in knobs_of(type(scenario)).items():
        if isinstance(parser.get_default(name), KnobDefault):
            continue  # another user class of the same scenario; different ones are refused when Locust starts
        try:
            parser.add_argument(
                knob.flag,
                default=KnobDefault(scenario.knobs[name]),
                env_var=env_var(knob.flag),
                help=f"{knob.meaning}: {knob.allowed}" + (", by commas" if listed else ""),
                choices=None if listed else knob.choices or None,
            )
        except argparse.ArgumentError:
            reason = f"knob {name} of {scenario.name}: {knob.flag} is an option already"
            raise UsageError(f"{reason}; give the knob another name") from None


def _chosen_ahead() -> str | None:
    """The value of `--scenario`, read before the parser is complete, because the options depend on it."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument(SCENARIO.flag, default=os.environ.get(SCENARIO.env_var))
    chosen: str | None = peek.parse_known_args(sys.argv[1:])[0].scenario
    return chosen
