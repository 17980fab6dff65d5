"""`locust --json` prints JSON on standard output, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("hotrow_home")
def test_json_of_locust_is_all_of_standard_output(tmp_path: Path) -> None:
    """The table, the gates and the verdict go to standard error."""
    words = ["--headless", "--json", "-H", "local", "-u", "1", "-t", "1s", "--warmup", "0", "--no-report"]
    done = run("locust", "-f", "locustfiles/counter.py", *words, "--out", str(tmp_path))

    (row,) = json.loads(done.stdout)
    assert row["num_requests"] > 0
    assert "Report: " in done.stderr
    assert "hotrow: --max-error-rate 0.01: met: 0 in cell 0" in done.stderr
