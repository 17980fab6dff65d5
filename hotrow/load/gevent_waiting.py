"""How sessions wait under gevent: other users run during the wait."""

from __future__ import annotations

import gevent
from gevent.socket import wait_read, wait_readwrite

from hotrow.targets.session import Waiting


def _ready(descriptor: int, writing: bool, within_s: float | None) -> bool:
    wait = wait_readwrite if writing else wait_read
    if within_s is None:
        wait(descriptor)
        return True
    with gevent.Timeout(within_s, exception=False):
        wait(descriptor)
        return True
    return False


COOPERATIVE = Waiting(ready=_ready, sleep=gevent.sleep)
