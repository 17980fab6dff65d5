"""A whole run on two regions of the endpoint: their figures in the summary and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.run.ledger import read_ledger
from tests.support.commands import only_run, run, summary_of
from tests.support.dsql_endpoint import offered

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_of_two_regions_tells_them_apart(dsn: str, tmp_path: Path) -> None:
    """The regions' attempts add up to the cell's. Sessions are replaced after 1 s, and the page says so."""
    assert dsn
    words = ["--headless", "--skew", "hot", "--warmup", "500ms", "-u", "4", "-r", "4", "-t", "5s"]
    with offered() as offer:
        host = offer.host("localhost", "127.0.0.1", session_life="1s")
        done = run("locust", "-f", "locustfiles/counter.py", *words, "-H", host, "--out", str(tmp_path))

    assert done.returncode in {0, 4}, done.stderr  # a busy machine may make the measurement unusable
    directory = only_run(tmp_path)
    summary = summary_of(directory)
    (cell,) = summary["cells"]
    assert [(region["region"], region["users"]) for region in cell["regions"]] == [(0, 2), (1, 2)]
    assert sum(region["attempts"]["total"] for region in cell["regions"]) == cell["attempts"]["total"] > 0
    assert cell["verdict"]["valid"] is True
    counts, longest_ms = summary["connections"], float(read_ledger(directory).attempts["connect"].max()) / 1e6
    assert counts["opened"] >= counts["retired"] >= 4
    assert counts["connect_ms"]["n"] > 0
    assert counts["connect_ms"]["max"] == longest_ms
    page = (directory / "report.html").read_text()
    assert "sessions were replaced before their age limit" in page
    assert 'id="latency-by-region"' in page
    assert (directory / "conflict-rate-by-region.png").is_file()
