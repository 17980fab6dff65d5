"""How a run hangs together with Locust: stops that meet, and exit codes that are ours."""

from __future__ import annotations

from types import SimpleNamespace

import gevent
import pytest

from hotrow.load.own_exit import OwnExit
from hotrow.load.run import _stop_once_at_a_time


def test_a_second_stop_waits_for_the_first() -> None:
    """Locust asks only whether it has stopped, and stops every user again if it is still at it."""
    runner = SimpleNamespace(state="running", stopped=0)

    def stop() -> None:
        if runner.state == "stopped":
            return
        runner.stopped += 1
        gevent.sleep(0.02)
        runner.state = "stopped"

    runner.stop = stop
    _stop_once_at_a_time(runner)
    gevent.joinall([gevent.spawn(runner.stop) for _ in range(3)], raise_error=True)

    assert runner.stopped == 1


@pytest.mark.parametrize(
    ("ours", "given", "expected"),
    [
        (None, 1, 2),
        (None, -1, 2),
        (None, 0, 0),
        (None, None, None),
        (1, 1, 1),
        (4, 4, 4),
        (2, 1, 2),
        (0, 1, 2),
    ],
)
def test_exit_codes_are_ours(ours: int | None, given: int | None, expected: int | None) -> None:
    """Locust's own 1 would say that a gate failed; what we have set passes, and so does 0."""
    own = OwnExit()
    own.environment = None if ours is None else SimpleNamespace(process_exit_code=ours)  # type: ignore[assignment]

    with pytest.raises(SystemExit) as ended:
        own.exit(given)

    assert ended.value.code == expected


def test_the_rest_of_sys_is_there() -> None:
    """Locust's modules use its other names as before."""
    assert OwnExit().argv is __import__("sys").argv
