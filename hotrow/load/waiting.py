"""How sessions wait under gevent: other users run meanwhile."""

from __future__ import annotations

import gevent
import gevent.socket

from hotrow.targets.session import Waiting

COOPERATIVE = Waiting(readable=gevent.socket.wait_read, sleep=gevent.sleep)
