"""The command that makes the same run again, from the run's options rather than from a command line.

A run may have been started from the web form, from a configuration file or from environment variables. The
command names every option, so that neither those nor later defaults change it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from hotrow.masking import show_host
from hotrow.run.options import OPTIONS, SCENARIO, USERS

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCUST = {"num_users": ("-u", ""), "spawn_rate": ("-r", ""), "run_time": ("-t", "s")}
"""Locust's own options in run.json: the flag, and the unit of a bare number."""


def reproduction(
    options: Mapping[str, Any],
    *,
    host: str,
    scenario: str | None,
    locustfile: str | None,
    processes: int | None,
) -> str:
    """The command of a sweep, or of Locust without its web page.

    Args:
        options: the texts of the options, as run.json has them.
        host: the target; user, password and query are left out of the command.
        scenario: the value of `--scenario`, if the locustfile has that option.
        locustfile: the locustfile as it was given.
        processes: the number of worker processes; None or 0 for none.
    """
    in_sweep = USERS.locust_name in options
    if in_sweep:
        words = ["hotrow", "sweep", scenario or str(SCENARIO.default)]
    else:
        words = ["locust", "-f", locustfile or "locustfile.py", "--headless"]
    words += ["-H", show_host(host)]
    known = {option.locust_name: option.flag if in_sweep else option.argument for option in OPTIONS}
    for name, value in options.items():
        flag, unit = _LOCUST.get(name, (known.get(name, f"--{name.replace('_', '-')}"), ""))
        if value is True:
            words.append(flag)
        elif value is not None and value is not False and value != "":
            words += [flag, f"{value:g}{unit}" if isinstance(value, int | float) else str(value)]
    return shlex.join([*words, *(["--processes", str(processes)] if processes else [])])
