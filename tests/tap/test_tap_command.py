"""`hotrow tap` from its options to its exit code."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.commands import finished, run, start

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("hotrow_home")]

REFUSED = {
    "--to x": "--to 'x': unknown target",
    "--to local --listen 0.0.0.0:0": "--open-to-network",
    "--to local --listen nowhere": "--listen: write ADDRESS:PORT",
    "--to local --listen 127.0.0.1:70000": "--listen: write ADDRESS:PORT",
    "--to local --name a/b": "--name",
    "--to local --for x": "--for",
    "--to local --max-p99-ms x": "--max-p99-ms",
    "--to postgresql://u:s3cret@a,b/x": "several hosts",
    "--to dsql://a.example,b.example?region=us-east-1": "several regions",
    "": "--to",
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_options_are_refused_in_one_line(words: str, tmp_path: Path) -> None:
    """With exit code 2, before anything is recorded."""
    done = run("hotrow", "tap", *words.split(), "--out", str(tmp_path / "out"))

    assert (done.returncode, REFUSED[words] in done.stderr) == (2, True), done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    assert not list(tmp_path.glob("out/*"))


def begin(tmp_path: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
    """Start a tap; the port that it announces."""
    process = start(
        "hotrow",
        "tap",
        "--to",
        "local:rtt=0,commit=0",
        "--listen",
        "127.0.0.1:0",
        "--out",
        str(tmp_path),
        *words,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, int(line.split("127.0.0.1:")[1].split()[0])


def load(port: int) -> None:
    with psycopg.connect(host="127.0.0.1", port=port, user="x", dbname="y") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS tap_command (n int PRIMARY KEY)")
        connection.commit()
        for number in range(30):
            with connection.transaction():
                connection.execute("INSERT INTO tap_command VALUES (%s) ON CONFLICT DO NOTHING", (number,))


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, ["--no-report"]), (signal.SIGTERM, [])])
def test_a_signal_ends_the_tap_with_a_report_and_its_gates(
    number: signal.Signals, words: list[str], tmp_path: Path
) -> None:
    """As a run ends: summary, page and exit code."""
    process, port = begin(tmp_path, "--min-goodput", "1000000", "--name", "shop", *words)
    load(port)
    process.send_signal(number)
    done = finished(process)

    (directory,) = tmp_path.iterdir()
    summary = json.loads((directory / "summary.json").read_text())
    assert done.returncode == 1, done.stderr
    assert "--min-goodput" in done.stderr
    assert summary["run"]["scenario"] == "shop"
    assert summary["cells"][0]["transactions"]["committed"] == 31
    assert words or "INSERT INTO tap_command" in (directory / "report.html").read_text()


def test_a_tap_that_nobody_used_measured_nothing(tmp_path: Path) -> None:
    """It ends by itself, with the exit code of an unusable measurement."""
    process, _ = begin(tmp_path, "--for", "0.1s", "--no-report")
    done = finished(process)

    assert done.returncode == 4, done.stderr
    assert "Nothing was measured" in done.stdout
