"""Exit codes are ours: Locust ends with 1 for what it refuses itself, and here that says: a gate failed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import locust.main
import locust.runners

from hotrow.exit_codes import ERROR, FINE

if TYPE_CHECKING:
    from locust.env import Environment


class OwnExit(ModuleType):
    """Stands for the `sys` module in Locust's: its `exit` knows whether a code was set by us."""

    def __init__(self) -> None:
        super().__init__("sys")
        self.environment: Environment | None = None
        """None until there is one: then no code is ours."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def exit(self, code: object = FINE) -> NoReturn:
        """End the process with a code that we set, or with 0; with 2 for any other."""
        ours = None if self.environment is None else self.environment.process_exit_code
        sys.exit(code if code in {None, FINE, ours} else ERROR)


def take_over() -> OwnExit:
    """Have Locust's modules that end the process ask us."""
    own = OwnExit()
    for module in (locust.runners, locust.main):
        module.sys = own  # type: ignore[attr-defined]
    return own
