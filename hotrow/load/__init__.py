"""Everything that imports locust: users, options, cells, progress, and how a run begins and ends.

Locust patches the standard library for gevent when it is imported, and psycopg must come after it: imported
before, it waits in C and stops every user of the process (six half-second waits then take three seconds).
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
