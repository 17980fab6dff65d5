"""Whole runs on `-H dsql://…` against the stand-in's endpoint: regions, expiry, secrets, bad input."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from hotrow.attempt.record import Outcome
from hotrow.run.ledger import read_events, read_health, read_ledger
from tests.support.commands import only_run, run, start, summary_of
from tests.support.dsql_endpoint import SECRET_KEY, Offer, offered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = ["--headless", "--warmup", "200ms", "--keys", "1000", "--skew", "uniform", "--only-summary"]
WITH_REPORT = ["locust", "-f", "locustfiles/transfer.py", *QUICK]
TRANSFER = [*WITH_REPORT, "--no-report"]
FINE = {0, 4}
"""Exit codes of a run that worked: a busy machine may make its measurement unusable, which is 4."""
TOKEN = re.compile(r"X-Amz-|AWS4-HMAC")
"""A text that is in every token."""
SIGNATURE = re.compile(r"\b[0-9a-f]{64}\b")
"""The signature of a token. The page is not searched for it, because it contains other such digits."""


@pytest.fixture(scope="module")
def offer(dsn: str) -> Iterator[Offer]:
    """The endpoint, for the tests of this module."""
    assert dsn
    with offered() as offer:
        yield offer


def free_port() -> int:
    """A port for Locust's master that no other run on this machine listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connections(directory: Path) -> list[dict[str, Any]]:
    """The last connection counts of each worker and region."""
    return [
        region
        for lines in read_health(directory).values()
        for region in lines.objects[-1].get("connections", [])
    ]


def test_users_are_divided_between_the_regions(offer: Offer, tmp_path: Path) -> None:
    """Two workers with three users each use two regions: three users per region, as each record says."""
    host = offer.host("localhost", "127.0.0.1")
    words = ["-H", host, "-u", "6", "-r", "6", "-t", "6s", "--processes", "2", "--out", str(tmp_path)]
    port = str(free_port())

    done = run(*TRANSFER, *words, "--master-port", port, "--master-bind-port", port)

    assert done.returncode in FINE, done.stderr
    directory = only_run(tmp_path)
    attempts = read_ledger(directory).attempts
    regions = {tuple(map(int, row)) for row in attempts[["worker", "user", "region"]].tolist()}
    assert sorted(region for _, _, region in regions) == [0, 0, 0, 1, 1, 1]
    assert len({worker for worker, _, region in regions if region == 0}) == 2
    target = json.loads((directory / "run.json").read_text())["target"]
    assert (target["kind"], target["regions"]) == ("dsql", ["us-east-1", "us-east-1"])
    assert sum(counts["opened"] for counts in connections(directory)) == 6
    assert summary_of(directory)["cells"][0]["verdict"]["valid"] is True


def test_the_cell_begins_when_all_have_connected(offer: Offer, tmp_path: Path) -> None:
    """Started users wait up to 2 s for a slot to connect. Nothing is measured until all have connected."""
    host = offer.host(connect_rate="10", connect_burst="1")
    words = ["-H", host, "-u", "20", "-r", "20", "-t", "6s", "--think", "10ms", "--out", str(tmp_path)]

    done = run(*TRANSFER, *words)

    assert done.returncode in FINE, done.stderr
    directory = only_run(tmp_path)
    attempts = read_ledger(directory).attempts
    first_ns = [attempts["started"][attempts["user"] == user].min() for user in range(20)]
    (begin_ns,) = [event["begin_ns"] for event in read_events(directory).objects if event["event"] == "begin"]
    assert np.ptp(first_ns) > 1e9
    assert max(first_ns) < begin_ns


def test_tokens_and_sessions_expire_unnoticed(offer: Offer, tmp_path: Path) -> None:
    """Sessions last 2 s and tokens 1 s. All are renewed several times, and no attempt fails because of it."""
    host = offer.host(session_life="2s", token_life="1s")  # noqa: S106 - a duration
    words = ["-H", host, "-u", "4", "-r", "4", "-t", "8s", "--think", "10ms", "--out", str(tmp_path)]

    done = run(*TRANSFER, *words)

    assert done.returncode in FINE, done.stderr
    directory = only_run(tmp_path)
    attempts = read_ledger(directory).attempts
    assert set(attempts["outcome"]) <= {Outcome.COMMITTED, Outcome.CONFLICT}
    (counts,) = connections(directory)
    assert counts["retired"] >= 4
    assert counts["token_s"] > 0
    replaced = np.sort(attempts["connect"])[-counts["retired"] :]
    assert replaced.min() > 0  # the record has the time of the replacement, apart from the transaction


def test_no_secret_is_left_anywhere(offer: Offer, tmp_path: Path) -> None:
    """This holds at log level DEBUG for the run's directory, the console, command lines and logs."""
    out, log = tmp_path / "results", tmp_path / "locust.log"
    words = [
        "--loglevel",
        "DEBUG",
        "--logfile",
        str(log),
        "-H",
        offer.host(),
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "3s",
    ]
    process = start(*WITH_REPORT, *words, "--out", str(out))
    listed = set()
    while process.poll() is None:
        listed |= {line for line in map(command_line, psutil.process_iter()) if "locust" in line}
        time.sleep(0.1)
    stdout, stderr = process.communicate()

    assert process.returncode in FINE, stderr
    assert any(offer.host() in line for line in listed)
    assert "DEBUG" in log.read_text()
    files = [path for path in (*out.rglob("*"), log, offer.endpoint.ca.parent / "log") if path.is_file()]
    assert {"run.json", "health-0.jsonl", "attempts-0.bin", "report.html"} <= {path.name for path in files}
    pages = {path.name: path.read_bytes().decode(errors="replace") for path in files}
    texts = {**pages, "stdout": stdout, "stderr": stderr, "ps": "\n".join(listed)}
    assert [name for name, text in texts.items() if SECRET_KEY in text or TOKEN.search(text)] == []
    del texts["report.html"]
    assert [name for name, text in texts.items() if SIGNATURE.search(text)] == []


def command_line(process: psutil.Process) -> str:
    """The command line of a process, as `ps` shows it; empty if the process is gone."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def refused(offer: Offer, tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Bad hosts by name, each with a text that its error line must contain."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("this is no certificate\n")
    return {
        "unknown host": ("dsql://nowhere.invalid?region=us-east-1", "the host does not exist"),
        "no server": ("dsql://localhost:1?region=us-east-1", "no server is listening there"),
        "another region": (offer.host(region="eu-west-1"), "is in eu-west-1"),
        "the second of two regions": (offer.host("localhost", "nowhere.invalid"), "nowhere.invalid"),
        "another authority": (offer.host(sslrootcert="system"), "sslrootcert="),
        "no authority": (offer.host(sslrootcert=str(wrong)), "wrong.pem contains no readable certificate"),
        "no such role": (offer.host(user="app"), "that the role exists (user= in --host)"),
        "a password": ("dsql://admin:hunter2@localhost", "password"),
    }


NAMES = (
    "unknown host",
    "no server",
    "another region",
    "the second of two regions",
    "another authority",
    "no authority",
    "no such role",
    "a password",
)


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_line(name: str, offer: Offer, tmp_path: Path) -> None:
    """The exit code is 2 before anything starts. The line has the cause and the option to change."""
    host, named = refused(offer, tmp_path)[name]

    done = run(*TRANSFER, "--loglevel", "ERROR", "-H", host, "-t", "1s", "--out", str(tmp_path / "results"))

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("hotrow: ")
    assert named in line
    assert "--host" in line
    assert not list((tmp_path / "results").glob("*"))
    assert "hunter2" not in done.stdout + done.stderr


def test_missing_credentials_are_one_line(
    offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says where boto3 looks for them."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")

    done = run(*TRANSFER, "--loglevel", "ERROR", "-H", offer.host(), "--out", str(tmp_path / "results"))

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "AWS_PROFILE" in line
