"""The exit code of a Locust process: Locust's own code 1 becomes 2, because 1 means that a gate failed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import locust.main
import locust.runners

from hotrow.exit_codes import ERROR, FINE

if TYPE_CHECKING:
    from locust.env import Environment


class LocustExit(ModuleType):
    """Replaces the `sys` module in Locust's modules: its `exit` lets only exit codes of hotrow pass."""

    def __init__(self) -> None:
        super().__init__("sys")
        self.environment: Environment | None = None
        """None until Locust has made it; until then hotrow has set no code."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def exit(self, code: object = FINE) -> NoReturn:
        """End the process with the code that hotrow set, or with 0; with 2 instead of any other code."""
        code_set = None if self.environment is None else self.environment.process_exit_code
        sys.exit(code if code in {None, FINE, code_set} else ERROR)


def take_over() -> LocustExit:
    """Replace `sys` in the modules of Locust that end the process."""
    locust_exit = LocustExit()
    for module in (locust.runners, locust.main):
        module.sys = locust_exit  # type: ignore[attr-defined]
    return locust_exit
