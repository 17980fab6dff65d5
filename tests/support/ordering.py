"""How the tests are spread over the workers of pytest-xdist: long ones first, and a file's tests together.

`make test` runs one worker more than the machine has cores, because many tests wait for injected latency.
Each worker has a stand-in of its own. A file's tests go to one worker, so that fixtures of a module are made
once. Only the files in `SPREAD` are divided: each of their tests takes seconds and shares little with others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

SPREAD = (
    "tests/load/test_locust_runs.py",
    "tests/runs/test_dsql_runs.py",
    "tests/runs/test_receipts_run.py",
    "tests/scenario/test_new.py",
)
"""Files of independent tests of several seconds."""
LONGEST_FIRST = (
    "tests/chaos/test_chaos.py",
    "tests/load/test_in_gevent.py",
    "tests/runs/",
    "tests/load/",
    "tests/scenario/test_new.py",
    "tests/standin/",
    "tests/doctor/",
    "tests/docs/",
)
"""Where to begin; the rest follows in its own order. The last tests to run should be short ones."""


def rank(nodeid: str) -> int:
    """How early a test begins: the number of the first of `LONGEST_FIRST` that its node id starts with."""
    matching = (number for number, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(matching, len(LONGEST_FIRST))


def unit_of_work(nodeid: str) -> str:
    """What goes to one worker as a whole: the test itself if its file is in `SPREAD`, else its file."""
    path = nodeid.partition("::")[0]
    return nodeid if path in SPREAD else path


def make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler of pytest-xdist that hands out units of work in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only if pytest-xdist is in use

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of_work(nodeid)

    config.option.loadscopereorder = False
    return Scheduler(config, log)
