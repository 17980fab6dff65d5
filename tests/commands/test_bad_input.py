"""Bad input: one line on standard error that names the option, exit code 2, and no run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

SWEEPS = {
    "unknown skew": (["--skew", "pareto:2"], "--skew"),
    "theta below 0": (["--skew", "zipf:-0.5"], "--skew"),
    "hotspot share of keys outside (0,1]": (["--skew", "hotspot:0:0.8"], "--skew"),
    "hotspot share of operations outside (0,1]": (["--skew", "hotspot:0.2:1.5"], "--skew"),
    "no users": (["--users", "0"], "--users"),
    "a number of users given twice": (["--users", "4,4"], "--users 4"),
    "a skew given twice": (["--skew", "hot,hot:1"], "--skew"),
    "a target given twice": (["-H", "local", "-H", "local"], "-H"),
    "users that are no number": (["--users", "1,many"], "--users"),
    "a duration without a unit": (["--retry", "full-jitter:cap=1"], "--retry"),
    "unknown policy": (["--retry", "hope"], "--retry"),
    "too few keys": (["--keys", "1"], "--keys"),
    "unknown target": (["-H", "mysql://somewhere"], "--host"),
    "a host that is no host": (["-H", "postgresql://u:hunter22@[x]y/db"], "--host postgresql://…"),
    "an empty list of users": (["--users", ""], "--users"),
    "an empty list of skews": (["--skew", ""], "--skew"),
    "unreachable host": (["-H", "postgresql://127.0.0.1:1/postgres"], "127.0.0.1"),
    "a directory that cannot be written": (["--out", "/proc/nowhere"], "--out"),
    "no time to measure": (["--duration", "0"], "--duration"),
    "a gate that is no share": (["--max-conflict-rate", "7"], "--max-conflict-rate"),
}


@pytest.mark.parametrize(("words", "named"), SWEEPS.values(), ids=SWEEPS.keys())
def test_sweep_refuses(words: list[str], named: str, tmp_path: Path) -> None:
    """One line names what to change, before anything starts."""
    out = [] if "--out" in words else ["--out", str(tmp_path / "results")]

    done = run("hotrow", "sweep", "transfer", *words, *out)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("hotrow: ")
    assert named in done.stderr
    assert not list(tmp_path.glob("results/*"))


def test_unknown_scenario(tmp_path: Path) -> None:
    """The message lists the known scenarios."""
    done = run("hotrow", "sweep", "teleport", "--out", str(tmp_path))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "transfer" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--skew", "pareto:2"],
        ["-u", "0"],
        ["-r", "nan"],
        ["-H", "postgresql://127.0.0.1:1/postgres"],
        ["--retry", "none,immediate"],
    ],
)
def test_locust_refuses_too(words: list[str], tmp_path: Path) -> None:
    """`locust -f …` refuses bad input as `hotrow sweep` does."""
    quiet = ["--headless", "-t", "2s", "--loglevel", "ERROR", "--out", str(tmp_path)]

    done = run("locust", "-f", "locustfiles/transfer.py", *quiet, *words)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "host",
    [
        "postgresql://u:hunter2@127.0.0.1:1/x",
        "postgresql://u:hunter2%zz@127.0.0.1:1/x",
        "host=127.0.0.1 password=hunter2",
    ],
)
def test_a_password_is_not_repeated(host: str, tmp_path: Path) -> None:
    """The message about a refused target does not contain its password."""
    done = run("hotrow", "sweep", "transfer", "-H", host, "--out", str(tmp_path))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr + done.stdout
