"""Postings to an account: `locust -f locustfiles/ledger.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.ledger import Ledger


class LedgerUser(ContentionUser):
    """One client that posts, one entry after another."""

    scenario = Ledger()
