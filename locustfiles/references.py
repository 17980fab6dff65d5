"""Rows under a foreign key: `locust -f locustfiles/references.py -H local --skew hot --parent lock`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.references import References


class ReferencesUser(ContentionUser):
    """One client that inserts children and changes parents, one transaction after another."""

    scenario = References()
