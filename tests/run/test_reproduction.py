"""The command that makes a run again, and the facts about its machine."""

from __future__ import annotations

import platform
import shlex
from typing import Any

import pytest

from hotrow.run.machine import describe_machine
from hotrow.run.reproduction import reproduction

SWEEP: dict[str, Any] = {
    "skew": "uniform,hot",
    "keys": "10000",
    "levels": "4,8",
    "redraw": True,
    "receipts": False,
    "max_p99_ms": "",
    "min_goodput": "200",
    "shards": "1,4",
    "for_update": "on",
}
LOCUST: dict[str, Any] = {"skew": "hot", "keys": "100", "num_users": 8, "spawn_rate": 4.0, "run_time": 90}


def command(options: dict[str, Any], **facts: Any) -> str:
    known = {"host": "local", "scenario": None, "locustfile": None, "processes": None}
    return reproduction(options, **{**known, **facts})


def test_a_sweep_is_written_with_every_option_that_is_set() -> None:
    """Also one from the web form, whose command line has none of them; knobs are options too."""
    assert command(SWEEP, scenario="counter") == (
        "hotrow sweep counter -H local --skew uniform,hot --keys 10000 --users 4,8 --redraw "
        "--min-goodput 200 --shards 1,4 --for-update on"
    )


def test_a_locustfile_runs_without_its_web_page() -> None:
    """Users, spawn rate and run time are those of the form."""
    assert command(LOCUST, locustfile="mine.py", processes=2) == (
        "locust -f mine.py --headless -H local --skew hot --keys 100 -u 8 -r 4 -t 90s --processes 2"
    )


def test_a_file_of_gates_is_an_option_like_any_other() -> None:
    """run.json has its tables; the command has its path."""
    assert command({**LOCUST, "gates": "ci/gates.toml"}).endswith(" -t 90s --gates ci/gates.toml")


def test_the_host_has_no_user_password_and_query() -> None:
    """The command is shown on a page that people send to each other."""
    text = command(SWEEP, host="postgresql://app:hunter2@db.example:5432/shop?sslpassword=hunter3")

    assert "-H postgresql://db.example:5432/shop --skew" in text
    assert "hunter" not in text


@pytest.mark.parametrize("hostile", ["'; rm -rf /", "$(reboot)", "a b"])
def test_a_text_is_one_word_for_a_shell(hostile: str) -> None:
    """The command may be pasted, whatever a scenario or a knob is called."""
    words = shlex.split(command({**SWEEP, "shards": hostile}, scenario=hostile))

    assert words[2] == hostile
    assert words[words.index("--shards") + 1] == hostile


def test_the_machine_is_described_but_not_named() -> None:
    """It has what figures depend on; every value is plain, or None if it is unknown."""
    machine = describe_machine()

    assert machine["python"].endswith(platform.python_version())
    assert machine["cores"] >= 1
    assert machine["memory_bytes"] is None or machine["memory_bytes"] > 2**20
    assert not platform.node() or platform.node() not in machine.values()
