"""A sweep, cell after cell: `locust -f locustfiles/sweep.py -H local --scenario counter`.

`hotrow sweep` runs this same file headless with a progress bar.
"""

from __future__ import annotations

from hotrow.load import ContentionUser
from hotrow.load.sweep import SweepShape
from scenarios import ALL


class SweepUser(ContentionUser):
    """One client of whichever scenario `--scenario` names."""

    scenarios = ALL


class Sweep(SweepShape):
    """Walks the cells."""
