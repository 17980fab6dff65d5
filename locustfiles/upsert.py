"""Page views by upsert: `locust -f locustfiles/upsert.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.upsert import Upsert


class UpsertUser(ContentionUser):
    """One client that counts views, one transaction after another."""

    scenario = Upsert()
