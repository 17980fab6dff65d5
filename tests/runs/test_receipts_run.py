"""Runs that lose connections during COMMIT: the server gets it before the loss, after it, or never."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from psycopg.conninfo import conninfo_to_dict

from hotrow.attempt.record import Flag, Outcome
from hotrow.run.ledger import read_ledger
from tests.support.commands import exit_code, only_run, run, summary_of
from tests.support.lossy_proxy import Loss, LossyProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = [
    "--headless",
    "--only-summary",
    "--no-report",
    "--warmup",
    "100ms",
    "--keys",
    "50",
    "-u",
    "4",
    "-r",
    "4",
    "-t",
    "4s",
]
SHARE = 0.05


@pytest.fixture
def proxy(dsn: str) -> Iterator[tuple[LossyProxy, str]]:
    """A proxy in front of the stand-in's socket that loses one COMMIT in 20, and its `--host`."""
    upstream = Path(str(conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"
    with (
        tempfile.TemporaryDirectory(prefix="hr") as folder,
        LossyProxy(Path(folder), upstream, share=SHARE, seed=11) as proxy,
    ):
        yield proxy, f"postgresql://postgres@/postgres?host={folder}"


def counter(host: str, out: Path, *words: str) -> tuple[dict[str, Any], Any]:
    """Run the counter; return its cell and the attempts of the whole run."""
    done = run("locust", "-f", "locustfiles/counter.py", *QUICK, "-H", host, "--out", str(out), *words)
    assert exit_code(done) == 0, done.stderr
    directory = only_run(out)
    summary = summary_of(directory)
    assert summary["run"]["options"]["receipts"] is ("--receipts" in words)
    (cell,) = summary["cells"]
    return cell, read_ledger(directory).attempts


def checks_of(cell: dict[str, Any]) -> dict[str, Any]:
    return {check["name"]: check for check in cell["verdict"]["checks"]}


def test_with_receipts_nothing_is_left_unknown(proxy: tuple[LossyProxy, str], tmp_path: Path) -> None:
    """Every lost answer is resolved, nothing is applied twice, and the counts match the database."""
    faults, host = proxy
    cell, attempts = counter(host, tmp_path, "--receipts", "--processes", "2")

    final, resolved = (attempts["flags"] & Flag.FINAL) != 0, (attempts["flags"] & Flag.RESOLVED) != 0
    committed = np.count_nonzero(final & (attempts["outcome"] == Outcome.COMMITTED))
    assert committed > 600
    assert min(faults.lost[how] for how in Loss) > 0
    assert np.count_nonzero(attempts["outcome"] == Outcome.UNKNOWN) == 0
    assert {*attempts["outcome"][resolved]} == {Outcome.COMMITTED, Outcome.ERROR}
    assert cell["verdict"]["valid"] is True
    increments, receipts = checks_of(cell).values()
    assert increments["details"]["counted"] == receipts["details"]["counted"] == committed
    assert cell["in_doubt"]["total"] == cell["in_doubt"]["applied"] + cell["in_doubt"]["not_applied"] > 0


def test_without_receipts_the_bounds_of_the_verdict_hold(
    proxy: tuple[LossyProxy, str], tmp_path: Path
) -> None:
    """Lost COMMITs are reported as unknown. The count is between acknowledged and acknowledged + unknown."""
    faults, host = proxy
    cell, attempts = counter(host, tmp_path)

    (check,) = cell["verdict"]["checks"]
    details = check["details"]
    assert details["unknown"] == sum(faults.lost.values()) > 0
    assert details["unknown"] == np.count_nonzero(attempts["outcome"] == Outcome.UNKNOWN)
    assert details["acknowledged"] < details["counted"] < details["acknowledged"] + details["unknown"]
    assert check["valid"] is True
    assert "unknown_outcomes" in {warning["code"] for warning in cell["warnings"]}


@pytest.mark.usefixtures("hotrow_home")
def test_a_sweep_counts_the_receipts_of_each_cell(tmp_path: Path) -> None:
    """The table keeps growing, and each cell is judged by the receipts it added."""
    cells = ["--skew", "hot:10", "--users", "1,2", "--duration", "1s", "--warmup", "100ms", "--keys", "50"]

    done = run("hotrow", "sweep", "transfer", *cells, "--receipts", "--no-report", "--out", str(tmp_path))

    assert exit_code(done) == 0, done.stderr
    judged = [checks_of(cell) for cell in summary_of(only_run(tmp_path))["cells"]]
    details = [checks["one receipt for each acknowledged transaction"]["details"] for checks in judged]
    assert len(details) == 2
    assert all(receipts["counted"] == receipts["acknowledged"] > 20 for receipts in details)
