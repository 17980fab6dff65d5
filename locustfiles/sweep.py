"""A sweep, one cell after another: `locust -f locustfiles/sweep.py -H local --scenario counter`.

`hotrow sweep` runs this file without a web page and shows a progress bar.
"""

from __future__ import annotations

from hotrow.load import ContentionUser
from hotrow.load.sweep import SweepShape
from scenarios import ALL


class SweepUser(ContentionUser):
    """One client of the scenario that `--scenario` names."""

    scenarios = ALL


class Sweep(SweepShape):
    """Runs the cells one after another."""
