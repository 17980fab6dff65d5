"""Increments of a counter: `locust -f locustfiles/counter.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.counter import Counter


class CounterUser(ContentionUser):
    """One client that increments counters, one transaction after another."""

    scenario = Counter()
