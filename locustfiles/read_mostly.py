"""Many readers and a few writers: `locust -f locustfiles/read_mostly.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.read_mostly import ReadMostly


class ReadMostlyUser(ContentionUser):
    """One client that reads or edits, one transaction after another."""

    scenario = ReadMostly()
