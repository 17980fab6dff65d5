"""A wait inside the transaction: `locust -f locustfiles/long.py -H local --hold 50ms`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.long import Long


class LongUser(ContentionUser):
    """One client that reads, waits and writes, one transaction after another."""

    scenario = Long()
