"""A run of `app-transfer` under Locust through the endpoint: its users wait for each other as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hotrow.attempt.record import Flag, Outcome
from hotrow.run.ledger import read_ledger
from tests.support.commands import exit_code, only_run, run, summary_of
from tests.support.dsql_endpoint import offered

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["--headless", "--only-summary", "--no-report", "--warmup", "200ms", "--keys", "100", "--skew", "hot"]


def test_an_application_runs_on_dsql(dsn: str, tmp_path: Path) -> None:
    """Four users at once, so no call blocks the others; give-ups follow the third conflict."""
    assert dsn
    load = ["-u", "4", "-r", "4", "-t", "3s", "--out", str(tmp_path)]
    with offered() as offer:
        done = run("locust", "-f", "locustfiles/app_transfer.py", *WORDS, *load, "-H", offer.host())

    assert exit_code(done) in {0, 4}, done.stderr
    directory = only_run(tmp_path)
    (cell,) = summary_of(directory)["cells"]
    assert cell["verdict"]["valid"] is True
    assert cell["transactions"]["committed"] > 0
    attempts = read_ledger(directory).attempts
    begin, end = attempts["started"], attempts["started"] + attempts["body"] + attempts["commit"]
    assert (np.sort(begin)[1:] < np.sort(end)[:-1]).mean() > 0.5, "transactions of several users overlap"
    conflicts = attempts[attempts["outcome"] == Outcome.CONFLICT]
    assert len(conflicts)
    given_up = conflicts["attempt"][(conflicts["flags"] & Flag.FINAL) != 0]
    assert set(given_up.tolist()) <= {3}
