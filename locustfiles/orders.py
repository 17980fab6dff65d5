"""Orders and transfers of a marketplace: `locust -f locustfiles/orders.py -H local --skew zipf:0.99`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.orders import Orders


class OrdersUser(ContentionUser):
    """One client that orders or moves money, one transaction after another."""

    scenario = Orders()
