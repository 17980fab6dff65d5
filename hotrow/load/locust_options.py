"""Options of `hotrow.run.options` as Locust arguments, and the request that their values make up.

Locust takes an argument from the command line, the environment, a configuration file and the web form.
"""

from __future__ import annotations

import sys
from argparse import Action
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from locust import events

from analysis.gates import Gates
from hotrow.console import report_error
from hotrow.errors import UsageError
from hotrow.knob import knobs_of
from hotrow.run.options import (
    DURATION,
    GATES,
    GITHUB,
    HOST,
    KEYS,
    NO_REPORT,
    OPTIONS,
    OUT,
    PROGRESS,
    RECEIPTS,
    REDRAW,
    REPEATS,
    RETRY,
    SEED,
    SKEW,
    THINK,
    USERS,
    WARMUP,
    Where,
    is_for_github,
    options_of,
    read_gates,
)
from hotrow.run.plan import Settings
from hotrow.scenario import AppScenario
from hotrow.units import read_list

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping
    from pathlib import Path

    from locust.argument_parser import LocustArgumentParser

    from hotrow.run.options import Option
    from hotrow.scenario import Scenario


_NOT_OF_AN_APPLICATION = (RETRY, REDRAW, RECEIPTS)
"""They say how hotrow runs and repeats transactions, which an `AppScenario` does itself."""


@dataclass(frozen=True, slots=True)
class Request:
    """The user's options, read: the settings of the cells, and everything that holds for the whole run."""

    settings: Settings
    seed: int
    out: Path
    think_s: float
    receipts: bool
    no_report: bool
    github: bool
    gates: Gates
    progress: bool
    options: dict[str, Any]
    """The texts of the options, for run.json; `gates` has the rules."""


class CheckedText(Action):
    """Keeps the text of an option if its reader takes it; otherwise ends the program in one line.

    A default is not read, and neither are the fields of the web form (see `check_form`).
    """

    def __init__(self, option: Option[Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.option = option

    def __call__(self, _: ArgumentParser, namespace: Namespace, values: Any, __: str | None = None) -> None:
        """Read the text and keep it."""
        try:
            _read(self.option, values, in_sweep=is_sweep(namespace))
        except UsageError as error:
            report_error(error)
            sys.exit(error.exit_code)
        setattr(namespace, self.dest, values)


@events.init_command_line_parser.add_listener
def _add_arguments(parser: LocustArgumentParser, **_: Any) -> None:
    add_arguments(parser, Where.LOCUSTFILE)


def add_arguments(parser: LocustArgumentParser, where: Where) -> None:
    """Add every option that a locustfile takes, or those that only the locustfile of a sweep takes."""
    for option in options_of(where):
        settings: dict[str, Any] = {"action": "store_true"}
        if not option.is_switch:
            settings = {
                "action": partial(CheckedText, option),
                "default": option.default,
                "metavar": f"<{option.metavar.lower()}>",
            }
        if option.in_environment:
            settings["env_var"] = option.env_var
        parser.add_argument(
            option.argument, help=option.help, include_in_web_ui=option.in_web_form, **settings
        )


def check_host(host: str | None) -> None:
    """Refuse a `--host` without a text, which Locust takes for none. Raises UsageError."""
    if host is not None:
        HOST.read(host)


def check_form(fields: Mapping[str, str], *, in_sweep: bool) -> None:
    """Read the fields of the web form that are options; a gate that is empty there is not set.

    Raises:
        UsageError: a field has a text that its option does not take.
    """
    for option in options_of(Where.LOCUSTFILE | Where.SWEEP_FILE):
        text = fields.get(option.locust_name)
        if text is None or option.is_switch or (not text and option in GATES.values()):
            continue
        _read(option, text, in_sweep=in_sweep)


def read_request(options: Namespace, scenario: Scenario) -> Request:
    """The request in Locust's parsed options; a knob that is no option of theirs stays as in `scenario`.

    Raises:
        UsageError: an option has a value that it does not take; one line.
    """
    in_sweep = is_sweep(options)
    _refuse_endless(options.spawn_rate)
    turned = [knob for name, knob in knobs_of(type(scenario)).items() if hasattr(options, name)]
    knobs = {knob.name: getattr(options, knob.name) for knob in turned}
    if isinstance(scenario, AppScenario):
        _refuse_for_application(options, scenario)
    values = {
        option: _read(option, getattr(options, option.locust_name), in_sweep=in_sweep)
        for option in (SKEW, KEYS, RETRY, WARMUP, SEED, OUT, THINK)
    }
    return Request(
        settings=Settings(
            skews=values[SKEW] if in_sweep else (values[SKEW],),
            keys=values[KEYS],
            levels=USERS.read(options.levels) if in_sweep else (_single_level(options),),
            retry=values[RETRY],
            knobs={
                knob.name: read_list(knob.flag, knobs[knob.name]) if in_sweep else (knobs[knob.name],)
                for knob in turned
            },
            redraw=bool(getattr(options, REDRAW.name)),
            repeats=REPEATS.read(options.repeats) if in_sweep else 1,
            warmup_s=values[WARMUP],
            duration_s=DURATION.read(options.duration) if in_sweep else None,
        ),
        seed=values[SEED],
        out=values[OUT],
        think_s=values[THINK],
        receipts=bool(getattr(options, RECEIPTS.name)) or scenario.receipts,
        no_report=bool(getattr(options, NO_REPORT.name)),
        github=is_for_github(asked=bool(getattr(options, GITHUB.name, False))),
        gates=Gates(**read_gates(vars(options))),
        progress=bool(getattr(options, PROGRESS.name, False)),
        options={**_texts(options, scenario), **knobs},
    )


def _refuse_for_application(options: Namespace, scenario: AppScenario) -> None:
    """Refuse the options that an application does not have."""
    given = [
        option.flag
        for option in _NOT_OF_AN_APPLICATION
        if getattr(options, option.locust_name) != (False if option.is_switch else option.default)
    ]
    if given:
        raise UsageError(
            f"{', '.join(given)}: {scenario.name} is an AppScenario, whose own code begins, commits and "
            "repeats its transactions; leave this out"
        )
    if scenario.receipts:
        raise UsageError(
            f"{scenario.name}: receipts = True has no meaning for an AppScenario; its own code writes "
            "receipts, if any"
        )


def _texts(options: Namespace, scenario: Scenario) -> dict[str, Any]:
    """Our options and those of Locust that shape the load; never `--host`, which may hold a password.

    For an application those are left out that it does not have.
    """
    left_out = _NOT_OF_AN_APPLICATION if isinstance(scenario, AppScenario) else ()
    names = [
        option.locust_name
        for option in OPTIONS
        if option.in_run_json and option not in left_out and hasattr(options, option.locust_name)
    ]
    names += [] if is_sweep(options) else ["num_users", "spawn_rate", "run_time"]
    return {name: getattr(options, name, None) for name in names}


def _read(option: Option[Any], text: str, *, in_sweep: bool) -> Any:
    return option.read_in_sweep(text) if in_sweep else option.read(text)


def is_sweep(options: object) -> bool:
    """Whether the options are those of `locustfiles/sweep.py`."""
    return hasattr(options, USERS.locust_name)


def _single_level(options: Namespace) -> int:
    return 1 if options.num_users is None else int(options.num_users)


def _refuse_endless(spawn_rate: float | None) -> None:
    """Locust takes NaN and infinity for rates."""
    if spawn_rate is not None and not 0 < spawn_rate < float("inf"):
        raise UsageError(f"--spawn-rate {spawn_rate}: must be a number of users per second above 0")
