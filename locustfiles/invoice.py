"""Numbered invoices: `locust -f locustfiles/invoice.py -H local --skew hot --index unique`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.invoice import Invoice


class InvoiceUser(ContentionUser):
    """One client that writes invoices, one transaction after another."""

    scenario = Invoice()
