"""`hotrow check` and `hotrow report`: violations, gates, exit codes, and refused numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.commands.sweep import sweep
from tests.support.run_files import violated, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

GATED = {"max_conflict_rate": "0.1", "max_give_up_rate": "", "expect_violations": False}


def hotrow(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is drawn."""
    monkeypatch.setattr("hotrow.finish._draw", lambda directory, _summary: directory / "report.html")


def test_check_names_the_violated_check_its_count_and_the_first(tmp_path: Path) -> None:
    """The output has more than the fact that an invariant was violated."""
    run = write_run(tmp_path / "run", checks=[violated(3, account=17, balance=-5)])

    done = hotrow("check", str(run))

    assert done.exit_code == 3
    assert "no money was made: 3 violations: account 17, balance -5" in done.output


def test_check_as_json_has_violations_breaches_and_doubts(tmp_path: Path) -> None:
    """The JSON has the same content as the text."""
    run = write_run(tmp_path / "run", options=GATED, checks=[violated(3, account=17)])

    judgement = json.loads(hotrow("check", str(run), "--json").output)

    assert judgement["exit_code"] == 3
    (wrong,) = judgement["violations"]
    assert (wrong["cell"], wrong["name"]) == (0, "no money was made")
    assert (wrong["count"], wrong["first"]) == (3, {"account": 17})
    assert [breach["gate"] for breach in judgement["breaches"]] == ["--max-conflict-rate"]
    assert (judgement["doubts"], judgement["warnings"]) == ([], [])


@pytest.mark.parametrize("command", ["check", "report"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--max-conflict-rate", "0.5"], 0),
        (["--max-give-up-rate", "0.9"], 1),
        (["--min-goodput", "1"], 1),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_a_run_is_judged_by_its_own_gates_again(
    command: str, options: list[str], code: int, tmp_path: Path
) -> None:
    """25 % of its attempts conflicted, and --max-conflict-rate was 0.1. A new limit replaces 0.1."""
    run = write_run(tmp_path / "run", options=GATED)

    assert hotrow(command, str(run), *options).exit_code == code


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_several_runs_has_the_worst_exit_code(tmp_path: Path) -> None:
    """One run breached its gate; the breach names that run."""
    fine, breached = write_run(tmp_path / "a"), write_run(tmp_path / "b", options=GATED)

    done = hotrow("report", str(fine), str(breached), "--out", str(tmp_path / "both"))

    assert done.exit_code == 1
    (breach,) = json.loads((tmp_path / "both" / "summary.json").read_text())["gates"]["breaches"]
    assert breach["cell"] == 1
    assert breach["text"].startswith("run 2: --max-conflict-rate 0.1")


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_expects_violations_is_judged_so_again(tmp_path: Path) -> None:
    """`--expect-violations` is in the run's options: it passes only if there are violations."""
    expecting = {**GATED, "max_conflict_rate": "", "expect_violations": True}

    assert hotrow("check", str(write_run(tmp_path / "none", options=expecting))).exit_code == 1
    violating = write_run(tmp_path / "found", options=expecting, checks=[violated(1, account=1)])
    done = hotrow("report", str(violating))
    assert done.exit_code == 0
    assert "found" in hotrow("check", str(violating)).output


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-1", "x", "NaN"])
@pytest.mark.parametrize(
    "flag", ["--max-conflict-rate", "--max-give-up-rate", "--max-error-rate", "--max-p99-ms", "--min-goodput"]
)
def test_a_limit_that_is_no_number_is_refused(flag: str, value: str, tmp_path: Path) -> None:
    """With NaN every gate would pass, because no number is greater than NaN."""
    done = hotrow("check", str(write_run(tmp_path / "run")), flag, value)

    assert done.exit_code == 2
    assert f"{flag} {value}: must be a number from 0" in done.output


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e400", ""])
@pytest.mark.parametrize("flag", ["--connect-rate", "--connect-burst", "--session-life"])
def test_a_fault_without_a_number_is_refused(flag: str, value: str) -> None:
    """It is refused before a request goes to an endpoint."""
    done = hotrow("local", "faults", flag, value)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"hotrow: {flag}")


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["up", "--endpoint", flag, value]
            for flag in ("--rtt", "--commit")
            for value in ("nan", "", "-1s")
        ),
        ["token", "--expires", "nan"],
    ],
)
def test_a_duration_without_a_number_is_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before the server is started."""
    monkeypatch.setattr("hotrow.commands.local.ensure_up", lambda **_: pytest.fail("the server was started"))

    done = hotrow("local", *words)

    assert done.exit_code == 2
    assert words[-2] in done.stderr


@pytest.mark.parametrize("value", ["nan", "0", "", "-1s"])
def test_a_deadline_of_nothing_is_refused(value: str) -> None:
    """With such a deadline no answer could come in time."""
    done = hotrow("probe", "--step-deadline", value)

    assert done.exit_code == 2
    assert done.stderr.startswith("hotrow: --step-deadline")


def test_every_command_has_every_gate() -> None:
    """The gates are declared once, for all commands."""
    commands: list[Any] = [main.commands["report"], main.commands["check"], sweep]
    gates = [
        {flag for option in command.params for flag in option.opts if "-rate" in flag} for command in commands
    ]

    assert gates == [{"--max-conflict-rate", "--max-give-up-rate", "--max-error-rate"}] * 3
