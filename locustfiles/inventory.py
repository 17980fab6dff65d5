"""Sales from a stock: `locust -f locustfiles/inventory.py -H local --skew hot`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.inventory import Inventory


class InventoryUser(ContentionUser):
    """One client that sells, one piece after another."""

    scenario = Inventory()
