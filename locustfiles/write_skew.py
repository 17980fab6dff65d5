"""Doctors go off call: `locust -f locustfiles/write_skew.py -H local --skew hot:10 --for-update on`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.write_skew import WriteSkew


class WriteSkewUser(ContentionUser):
    """One client that changes duties, one transaction after another."""

    scenario = WriteSkew()
