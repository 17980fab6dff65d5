"""The fields of the start form, in the order of their use: groups, labels, examples and current values."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hotrow.attempt.retry import POLICIES
from hotrow.knob import knobs_of
from hotrow.load.edit import OF_A_CELL
from hotrow.load.locust_options import is_sweep
from hotrow.run.options import (
    DURATION,
    EXPECT_VIOLATIONS,
    KEYS,
    MAX_CONFLICT_RATE,
    MAX_ERROR_RATE,
    MAX_GIVE_UP_RATE,
    MAX_P99_MS,
    MIN_GOODPUT,
    NO_REPORT,
    OPTIONS,
    RECEIPTS,
    REDRAW,
    REPEATS,
    RETRY,
    SCENARIO,
    SEED,
    SKEW,
    THINK,
    USERS,
    WARMUP,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust.env import Environment

    from hotrow.run.options import Option
    from hotrow.scenario import Scenario

_SEVERAL = " Several values, separated by commas, are measured one after another."
_IN_A_SWEEP = re.compile(r" A sweep takes several.*")
_FLAG = re.compile(r"--[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form."""

    name: str
    """Its name in the POST."""
    group: str
    label: str
    help: str = ""
    examples: tuple[str, ...] = ()
    edited: bool = False
    """Whether it can change during a run."""
    scenarios: tuple[str, ...] = ()
    """The scenarios that have this knob; empty for every other field."""


_SCENARIO, _CONTENTION, _LOAD, _GATES, _MORE = "Scenario", "Contention", "Load", "Gates", "More"
_LOCUSTS = (
    Field("user_count", _LOAD, "Users", "Number of concurrent users.", ("1", "8", "32"), edited=True),
    Field("spawn_rate", _LOAD, "Users started per second", "", ("1", "100"), edited=True),
    Field("run_time", _LOAD, "Run time", "Counted from the load. Empty: until Stop.", ("30s", "5m", "1h30m")),
    Field(
        "host",
        _LOAD,
        "Host",
        "The database: local, local:rtt=2ms,commit=5ms, plain, dsql://… or postgresql://…",
        ("local", "local:rtt=2ms,commit=5ms", "local:rtt=0,commit=0", "plain"),
    ),
    Field("profile", _MORE, "Profile", "A name that Locust's own report shows."),
)
_OURS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    SCENARIO.locust_name: (_SCENARIO, "Scenario", ()),
    SKEW.locust_name: (
        _CONTENTION,
        "Skew",
        ("uniform", "zipf:0.8", "zipf:0.99", "hotspot:0.2:0.8", "latest:0.99", "hot", "hot:4"),
    ),
    KEYS.locust_name: (_CONTENTION, "Keys", ("100", "10000", "1000000")),
    RETRY.locust_name: (
        _CONTENTION,
        "Retry policy",
        (*POLICIES, "fixed:base=10ms,max=5", "budget:ratio=0.2,burst=10"),
    ),
    REDRAW.locust_name: (_CONTENTION, "Redraw keys on retry", ()),
    USERS.locust_name: (_LOAD, "Users", ("1,2,4,8,16,32", "1,8,64")),
    DURATION.locust_name: (_LOAD, "Duration of a cell", ("5s", "30s")),
    REPEATS.locust_name: (_LOAD, "Repeats", ("1", "3")),
    WARMUP.locust_name: (_LOAD, "Warm-up", ("0s", "1s", "5s")),
    THINK.locust_name: (_LOAD, "Think time", ("0", "10ms", "1s")),
    MAX_CONFLICT_RATE.locust_name: (_GATES, "Max conflict rate", ("0.1", "0.5")),
    MAX_GIVE_UP_RATE.locust_name: (_GATES, "Max give-up rate", ("0", "0.01")),
    MAX_ERROR_RATE.locust_name: (_GATES, "Max error rate", ("0", "0.01")),
    MAX_P99_MS.locust_name: (_GATES, "Max p99 (ms)", ("50", "1000")),
    MIN_GOODPUT.locust_name: (_GATES, "Min goodput (per s)", ("100", "1000")),
    EXPECT_VIOLATIONS.locust_name: (_GATES, "Expect violations", ()),
    RECEIPTS.locust_name: (_MORE, "Receipts", ()),
    SEED.locust_name: (_MORE, "Seed", ("1",)),
    NO_REPORT.locust_name: (_MORE, "No report, summary.json alone", ()),
}
"""By option: the group, the label and examples."""
_ORDER = tuple(_OURS)


def form_fields(environment: Environment) -> list[Field]:
    """The fields of this process's form, in the order in which they are shown."""
    options = environment.parsed_options
    in_sweep = is_sweep(options)
    knobs = _knob_fields(environment)
    ours = [
        _of_option(option, several=in_sweep and option.sweep_reader is not None)
        for option in OPTIONS
        if option.in_web_form and option.locust_name in _OURS and hasattr(options, option.locust_name)
    ]
    ours.sort(key=lambda field: _ORDER.index(field.name))
    groups = (_SCENARIO, _CONTENTION, _LOAD, _GATES, _MORE)
    scenario = [field for field in ours if field.group == _SCENARIO]
    load = [field for field in _LOCUSTS if not in_sweep or field.name in {"host", "profile"}]
    rest = [field for field in ours if field.group != _SCENARIO]
    return sorted([*scenario, *knobs, *load, *rest], key=lambda field: groups.index(field.group))


def _of_option(option: Option[Any], *, several: bool) -> Field:
    group, label, examples = _OURS[option.locust_name]
    text = _IN_A_SWEEP.sub("", option.help.removeprefix("Gate: "))
    return Field(
        option.locust_name,
        group,
        label,
        text[0].upper() + text[1:] + (_SEVERAL if several else ""),
        examples,
        edited=option.locust_name in OF_A_CELL,
    )


def _knob_fields(environment: Environment) -> list[Field]:
    """A field per name of a knob. In a sweep, those of every scenario that can be chosen."""
    owners: dict[str, list[str]] = {}
    for name, scenario in choosable(environment).items():
        for knob in knobs_of(scenario):
            owners.setdefault(knob, []).append(name)
    return [
        Field(knob, _SCENARIO, knob.replace("_", " ").capitalize(), scenarios=tuple(names))
        for knob, names in owners.items()
    ]


def choosable(environment: Environment) -> dict[str, type[Scenario]]:
    """The scenarios that the form can choose, by name; the locustfile's own if it has no choice."""
    for user_class in environment.user_classes:
        scenario: Scenario | None = getattr(user_class, "scenario", None)
        if scenario is not None:
            return {scenario.name: type(scenario)}
        scenarios: Mapping[str, type[Scenario]] = getattr(user_class, "scenarios", {})
        if scenarios:
            return dict(scenarios)
    return {}


def _knobs(environment: Environment, *, several: bool) -> dict[str, dict[str, dict[str, str]]]:
    """By scenario and knob: its default and its help."""
    return {
        name: {
            knob.name: {
                "default": knob.default,
                "help": f"{knob.meaning[0].upper()}{knob.meaning[1:]}: {knob.allowed}."
                + (_SEVERAL if several else ""),
            }
            for knob in knobs_of(scenario).values()
        }
        for name, scenario in choosable(environment).items()
    }


def form_json(environment: Environment) -> dict[str, Any]:
    """The fields, the current values of the options, and the knobs of each scenario."""
    options = vars(environment.parsed_options or object())
    fields = form_fields(environment)
    values = {field.name: options.get(field.name) for field in fields}
    values |= {"user_count": options.get("num_users"), "host": environment.host}
    return {
        "fields": [asdict(field) for field in fields],
        "values": {name: value for name, value in values.items() if value is not None},
        "knobs": _knobs(environment, several=is_sweep(environment.parsed_options)),
    }


def field_of(message: str, environment: Environment) -> str | None:
    """The name of the field that a refusal is about; it begins with the option."""
    flag = _FLAG.match(message)
    if flag is None:
        return None
    name = flag[0].removeprefix("--").replace("-", "_")
    if name == "users":
        return USERS.locust_name if is_sweep(environment.parsed_options) else "user_count"
    return name
