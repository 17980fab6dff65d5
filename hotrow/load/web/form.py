"""The start form of Locust's web page: the fields that it may set, and their values.

Locust lets a POST set any option of the command line. Here the form can set only the fields that it shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from locust import argument_parser
from locust.util.timespan import parse_timespan
from werkzeug.datastructures import MultiDict

from hotrow.errors import UsageError
from hotrow.knob import knobs_of
from hotrow.load.hosts import HIDDEN, Hosts
from hotrow.load.locust_options import check_form, is_sweep
from hotrow.load.web.fields import choosable
from hotrow.units import as_typed, decimal_number, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust.env import Environment
    from locust.web import WebUI

LOAD = frozenset({"user_count", "spawn_rate", "run_time"})
"""The fields of Locust's form that a shape decides."""
_COMMON = LOAD | {"host", "profile"}
"""The fields of Locust's form for every locustfile."""
_PICKED = frozenset({"user_classes", "shape_class"})
"""Further fields with `--class-picker`."""


class Form:
    """The check of a POST of the start form."""

    def __init__(self, environment: Environment, web_ui: WebUI, hosts: Hosts) -> None:
        self._environment = environment
        self._hosts = hosts
        self._started_with: dict[str, Any] = dict(vars(environment.parsed_options or object))
        picked = _PICKED if web_ui.userclass_picker_is_active else frozenset()
        self._knobs = {name: set(knobs_of(kind)) for name, kind in choosable(environment).items()}
        every_knob = set().union(*self._knobs.values()) if is_sweep(environment.parsed_options) else set()
        self._fields = _COMMON | picked | every_knob | set(argument_parser.ui_extra_args_dict())

    def named(self, fields: MultiDict[str, str]) -> MultiDict[str, str]:
        """The same fields by the names of the options.

        Locust's page sends `max_p9_9ms` for `max_p99_ms`: it writes names in camel case and back.
        """
        names = {_letters(name): name for name in self._fields}
        return MultiDict([(names.get(_letters(name), name), text) for name, text in fields.items(multi=True)])

    def checked(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """The values of the options that the form sets, by their names in Locust's parsed options.

        A password in the host is hidden. Fields that Locust or a shape sets are left out.

        Raises:
            UsageError: the form sets something that it may not set, or a value that an option does not take.
        """
        unknown = sorted(set(fields) - self._fields)
        if unknown:
            raise UsageError(f"{unknown[0][:40]!r} cannot be set here; set it on the command line")
        if self._environment.shape_class is None and not {"user_count", "spawn_rate"} <= set(fields):
            raise UsageError("the form has no number of users, or no number of users that start per second")
        for name in ("skew", "scenario"):
            if name in fields and fields[name] != self._started_with.get(name):
                self._check_paths(name, fields[name])
        check_form(fields, in_sweep=is_sweep(self._environment.parsed_options))
        chosen = str(fields.get("scenario", getattr(self._environment.parsed_options, "scenario", "")))
        values = [self._value(name, text) for name, text in fields.items() if self._is_ours(name, chosen)]
        return {**self._defaults(chosen), **dict(values)}

    def _defaults(self, chosen: str) -> dict[str, str]:
        """The defaults of another scenario's knobs: those of the last scenario may have the same names."""
        if chosen == getattr(self._environment.parsed_options, "scenario", chosen):
            return {}
        kind = choosable(self._environment).get(chosen)
        return {} if kind is None else {name: knob.default for name, knob in knobs_of(kind).items()}

    def _is_ours(self, name: str, chosen: str) -> bool:
        """Whether a field is set here, and not by Locust or by a shape; knobs only of the chosen scenario."""
        if name in LOAD:
            return self._environment.shape_class is None
        if name in _PICKED or name == "profile":
            return False
        if chosen in self._knobs and any(name in knobs for knobs in self._knobs.values()):
            return name in self._knobs[chosen]
        return name == "host" or isinstance(self._started_with.get(name), str | bool)

    def _value(self, name: str, text: str) -> tuple[str, Any]:
        if name == "host":
            return name, self._shown(text)
        if name in _READERS:
            option, reader = _READERS[name]
            return option, reader(text)
        if isinstance(self._started_with.get(name), bool):
            return name, text == "true"
        return name, text

    def _shown(self, host: str) -> str:
        host = host.replace("<", "").replace(">", "")  # as Locust does
        if HIDDEN in host and not self._hosts.knows(host):
            raise UsageError(
                "--host: its password is hidden; enter the whole host again, or leave it unchanged"
            )
        return self._hosts.shown(host)

    def _check_paths(self, name: str, text: str) -> None:
        if name == "scenario":
            user_classes = self._environment.user_classes
            if not any(text in (getattr(one, "scenarios", None) or ()) for one in user_classes):
                raise UsageError("--scenario: only built-in ones here; pass a file on the command line")
            return
        for skew in text.split(",") if is_sweep(self._environment.parsed_options) else [text]:
            name, _, path = skew.strip().partition(":")
            if name == "file" and not is_below(Path(path), Path.cwd()):
                raise UsageError("--skew file: only files below the working directory here")


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _users(text: str) -> int:
    users = whole_number(text)
    if users is None or users < 1:
        raise UsageError(f"--users {as_typed(text)}: must be a whole number from 1")
    return users


def _spawn_rate(text: str) -> float:
    rate = decimal_number(text)
    if rate is None or not 0 < rate < float("inf"):
        raise UsageError(f"--spawn-rate {as_typed(text)}: must be a number of users per second above 0")
    return rate


def _run_time(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        seconds: float = parse_timespan(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageError(f"--run-time {as_typed(text)}: must be a time such as 20s, 3m or 1h30m")
    return seconds


_READERS: dict[str, tuple[str, Any]] = {
    "user_count": ("num_users", _users),
    "spawn_rate": ("spawn_rate", _spawn_rate),
    "run_time": ("run_time", _run_time),
}
"""The fields that Locust reads itself: the name of the option, and the reader."""


def is_below(path: Path, folder: Path) -> bool:
    """Whether a relative path leads to something below a folder, even after links are followed."""
    if path.is_absolute() or ".." in path.parts:
        return False
    try:
        return (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        return False
