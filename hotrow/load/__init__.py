"""Everything that imports Locust: users, options, cells, progress, and the start and end of a run.

Locust patches the standard library for gevent when it is imported. psycopg must be imported after it: if it
is imported before, it waits in C and stops all users of the process (six waits of 0.5 s then take 3 s).
"""

from __future__ import annotations

import locust  # noqa: F401 - patches before psycopg is imported

from hotrow.errors import HotrowError
from hotrow.targets.session import waits_in_c

if waits_in_c():
    raise HotrowError("psycopg was imported before locust and would block every user; import locust first")

from hotrow.load import channel as _channel  # noqa: F401 - secures the sockets before Locust makes any
from hotrow.load.user import ContentionUser

__all__ = ["ContentionUser"]
