"""Many rows per transaction: `locust -f locustfiles/batch.py -H local --rows 100 --order sorted`."""

from __future__ import annotations

from hotrow.load import ContentionUser
from scenarios.batch import Batch


class BatchUser(ContentionUser):
    """One client that updates batches, one transaction after another."""

    scenario = Batch()
