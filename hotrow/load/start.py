"""Starts Locust as its own command would start it."""

from __future__ import annotations

import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from locust.main import main as locust_main

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_locust_as_it_is(words: Sequence[str]) -> None:
    """Start Locust with its own command line, after hotrow: so every exit code is hotrow's."""
    from hotrow.load import listeners, locust_exit  # noqa: F401, PLC0415 - a sweep does it later

    sys.argv = ["locust", *words]
    try:
        locust_main()
    except Exception as error:  # noqa: BLE001 - of the locustfile
        locust_exit.end_with_error(type(error), error, error.__traceback__)


def run_locust(words: Sequence[str]) -> None:
    """Start Locust without its web page and its log; it ends the process with the run's exit code."""
    locustfile = files("locustfiles") / "sweep.py"
    sys.argv = ["locust", "-f", str(locustfile), "--headless", "--progress", "--loglevel", "WARNING", *words]
    locust_main()
