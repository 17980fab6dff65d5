"""Transfers by an application's own function: `locust -f locustfiles/app_transfer.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.app_transfer import AppTransfer


class AppTransferUser(ContentionUser):
    """One client that calls the function, one transfer after another."""

    scenario = AppTransfer()
