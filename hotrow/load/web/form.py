"""The check of the start form of Locust's web page: the fields that it may set, and their values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from locust import argument_parser
from werkzeug.datastructures import ImmutableMultiDict

from hotrow.errors import UsageError
from hotrow.load.hosts import HIDDEN, Hosts
from hotrow.load.locust_options import check_form, is_sweep

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.web import WebUI
    from werkzeug.datastructures import MultiDict

_COMMON = frozenset({"user_count", "spawn_rate", "host", "run_time", "profile"})
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
        self._fields = _COMMON | picked | set(argument_parser.ui_extra_args_dict())

    def checked(self, form: MultiDict[str, str]) -> ImmutableMultiDict[str, str]:
        """The same form, with the password in its host hidden.

        Raises:
            UsageError: the form sets something that it may not set.
        """
        unknown = sorted(set(form) - self._fields)
        if unknown:
            raise UsageError(f"{unknown[0][:40]!r} cannot be set here; set it on the command line")
        for name in ("skew", "scenario"):
            if name in form and form[name] != self._started_with.get(name):
                self._check_paths(name, form[name])
        check_form(form, in_sweep=is_sweep(self._environment.parsed_options))
        return ImmutableMultiDict(
            [
                (name, self._shown(value) if name == "host" else value)
                for name, value in form.items(multi=True)
            ]
        )

    def _shown(self, host: str) -> str:
        host = host.replace("<", "").replace(">", "")  # as Locust does
        if HIDDEN in host and not self._hosts.knows(host):
            raise UsageError(
                "host: its password is hidden; enter the whole host again, or leave it unchanged"
            )
        return self._hosts.shown(host)

    def _check_paths(self, name: str, text: str) -> None:
        if name == "scenario":
            user_classes = self._environment.user_classes
            if not any(text in (getattr(one, "scenarios", None) or ()) for one in user_classes):
                raise UsageError("scenario: only built-in ones here; pass a file on the command line")
            return
        for skew in text.split(",") if is_sweep(self._environment.parsed_options) else [text]:
            name, _, path = skew.strip().partition(":")
            if name == "file" and not is_below(Path(path), Path.cwd()):
                raise UsageError("skew file: only files below the working directory here")


def is_below(path: Path, folder: Path) -> bool:
    """Whether a relative path leads to something below a folder, even after links are followed."""
    if path.is_absolute() or ".." in path.parts:
        return False
    try:
        return (folder / path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        return False
