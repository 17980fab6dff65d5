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
    data = {"sequence": 1, "setup": None, "open": None, "end": False, "sent_ns": 0}
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


EVEN_REGIONS = """
from types import SimpleNamespace

import hotrow.load
from hotrow.load.board import Board

board = Board(SimpleNamespace(register_message=lambda *_: None, send_message=lambda *_: None))
board._users_of_region = [0, 0]
users = [board.enter_region() for _ in range(8)]
for user in (7, 5, 3):
    board.leave_region(users.pop(user))
print(users, [board.even_region(user) for user in users])
"""


def test_users_are_dealt_anew_where_those_who_left_were_of_one_region() -> None:
    """Five users of which four were left in one region are three and two, and nobody moves without need."""
    said, _ = python(EVEN_REGIONS).communicate(timeout=60)

    assert said == "[0, 1, 0, 0, 0] [1, 1, 0, 0, 0]\n"
