"""The gate that users wait at, in a process that Locust has patched."""

from __future__ import annotations

from tests.local_home import python

PAUSE_AS_THE_GATE_CLOSES = """
from types import SimpleNamespace

import hotrow.load
import gevent
from hotrow.load.board import TO_WORKERS, Board

listeners = {}
board = Board(SimpleNamespace(register_message=listeners.__setitem__, send_message=lambda *_: None))
earlier = gevent.spawn(board.pause, 600)
gevent.sleep(0)

def close_and_pause():
    earlier.kill(block=False)
    data = {"sequence": 1, "setup": None, "open": None, "end": False}
    listeners[TO_WORKERS](SimpleNamespace(data=data))
    return board.pause(600)

later = gevent.spawn(close_and_pause)
later.join(timeout=20)
print(later.value)
"""


def test_a_pause_that_begins_as_the_gate_closes_ends() -> None:
    """It ends although the only earlier pause leaves by itself before it is woken; the cell is closed.

    A user that stayed in its pause kept the run from draining: 1,000 users, one run in ten.
    """
    said, _ = python(PAUSE_AS_THE_GATE_CLOSES).communicate(timeout=60)

    assert said == "False\n"
