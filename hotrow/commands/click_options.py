"""Options of `hotrow.run.options` as click options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from hotrow.run.options import Where, options_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from click import Context

    from hotrow.run.options import Option

    Command = Callable[..., Any]


def readable(read: Callable[[str], Any]) -> Callable[[str], str]:
    """A click type: a text that `read` takes. For any other text `read` raises a UsageError."""

    def check(text: str) -> str:
        read(text)
        return text

    return check


class _Option(click.Option):
    """An option whose environment variable also counts if it is empty: its reader refuses that."""

    def resolve_envvar_value(self, _: Context) -> str | None:
        """The text of the variable; None if it is not set."""
        return os.environ.get(self.envvar) if isinstance(self.envvar, str) else None


def click_options(where: Where) -> Callable[[Command], Command]:
    """A decorator that gives a click command all options of one place."""

    def decorate(command: Command) -> Command:
        for option in reversed(options_of(where)):
            command = _decorator(option, where)(command)
        return command

    return decorate


def _decorator(option: Option[Any], where: Where) -> Callable[[Command], Command]:
    in_sweep = where in Where.SWEEP | Where.SIMULATE
    names = [*([option.short] if option.short else []), option.flag]
    variable = option.env_var if where is Where.SWEEP and option.in_environment else None
    if option.is_switch:
        return click.option(*names, is_flag=True, envvar=variable, help=option.help)
    default = (option.sweep_default or option.default or None) if in_sweep else None
    return click.option(
        *names,
        cls=_Option,
        type=readable(option.read_in_sweep if in_sweep else option.read),
        metavar=option.metavar,
        default=(default,) if option.repeatable else default,
        multiple=option.repeatable,
        envvar=variable,
        help=option.help,
    )
