"""The order of the tests and their distribution over the workers of pytest-xdist.

Long tests run first. `make test` starts one worker more than the machine has cores, because many tests wait
for injected latency. Each worker has its own stand-in. The tests of a file go to one worker, so that the
fixtures of a module are made once. Only the files in `SPREAD` are divided, because each of their tests takes
seconds and shares little with the others.
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
"""Files of independent tests that take several seconds each."""
LONGEST_FIRST = (
    "tests/chaos/test_chaos.py",
    "tests/load/test_in_gevent.py",
    "tests/reports/test_png.py",
    "tests/browser/",
    "tests/runs/",
    "tests/load/",
    "tests/scenario/test_new.py",
    "tests/standin/",
    "tests/doctor/",
    "tests/docs/",
    "tests/reports/",
)
"""Files and folders to start with, in this order; the rest follows. The last tests should be short."""


def rank(nodeid: str) -> int:
    """The sort key of a test: the index of the first of `LONGEST_FIRST` that its node id starts with."""
    matching = (number for number, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(matching, len(LONGEST_FIRST))


def unit_of_work(nodeid: str) -> str:
    """The unit that goes to one worker as a whole: the test if its file is in `SPREAD`, else the file."""
    path = nodeid.partition("::")[0]
    return nodeid if path in SPREAD else path


def make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A pytest-xdist scheduler that hands out units of work in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only if pytest-xdist is in use

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of_work(nodeid)

    config.option.loadscopereorder = False
    return Scheduler(config, log)
