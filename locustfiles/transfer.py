"""Transfers between two accounts: `locust -f locustfiles/transfer.py -H local --skew zipf:0.99`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.transfer import Transfer


class TransferUser(ContentionUser):
    """One client that moves money, one transaction after another."""

    scenario = Transfer()
