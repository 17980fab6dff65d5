"""`hotrow simulate` ends with a run directory that every other command reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from hotrow.commands import simulate as module
from hotrow.commands.main import main
from hotrow.run.ledger import read_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

WORDS = ("--users", "1,8", "--duration", "4s", "--warmup", "500ms", "--no-report")


def run(out: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *words, "--out", str(out)])


def directory(out: Path) -> Path:
    (one,) = out.iterdir()
    return one


def summary(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory(out) / "summary.json").read_text())
    return content


def test_a_simulation_is_a_run(tmp_path: Path) -> None:
    """Each cell is measured for its duration in simulated time, and the model is beside it."""
    answer = run(tmp_path, "transfer", "--skew", "uniform,hot", *WORDS)

    assert answer.exit_code == 0, answer.output
    content = summary(tmp_path)
    assert content["run"]["target"]["label"].startswith("simulation, window 7ms")
    cells = {(cell["skew"], cell["users"]): cell for cell in content["cells"]}
    assert len(cells) == 4
    assert all(cell["usable"] and cell["seconds"] == 4 for cell in cells.values())
    assert cells["uniform", 1]["attempts"]["conflict"] == 0
    hot = cells["hot", 8]
    assert hot["conflict_rate"]["value"] == pytest.approx(hot["predicted"]["conflict_rate"], abs=0.05)
    assert hot["goodput_per_s"]["value"] == pytest.approx(1 / 0.007, rel=0.15)
    assert not {warning["code"] for cell in content["cells"] for warning in cell["warnings"]} - {
        "users_starved"
    }
    assert "In a simulation: on one hot row" in answer.output
    assert "no data to check" in answer.output
    assert "hotrow simulate transfer" in content["run"]["reproduce"]


def test_its_command_makes_it_again(tmp_path: Path) -> None:
    """Knobs, policy and seed are in the command of the report, and give the same attempts."""
    words = ("counter", "--skew", "hot", "--shards", "1,4", "--retry", "none", "--seed", "7", *WORDS)
    assert run(tmp_path / "one", *words).exit_code == 0
    again = summary(tmp_path / "one")["run"]["reproduce"].split()[2:]
    assert run(tmp_path / "two", *again, "--no-report").exit_code == 0

    one, two = (read_ledger(directory(tmp_path / name)).attempts for name in ("one", "two"))
    names = [name for name in one.dtype.names or () if name not in {"scheduled", "started"}]
    assert np.array_equal(one[names], two[names])
    assert {cell["knobs"]["shards"] for cell in summary(tmp_path / "one")["cells"]} == {1, 4}


def test_gates_and_check_judge_it(tmp_path: Path) -> None:
    answer = run(tmp_path, "counter", "--skew", "hot", *WORDS, "--max-conflict-rate", "0.1")
    assert answer.exit_code == 1
    assert CliRunner().invoke(main, ["check", str(directory(tmp_path))]).exit_code == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nothing",), "nothing: unknown scenario"),
        (("counter", "--window", "0"), "--window"),
        (("counter", "--window-cv", "nan"), "--window-cv"),
        (("counter", "--users", "0"), "--users"),
        (("counter", "--shard", "2"), "--shard"),
        (("transfer", "--keys", "1"), "--keys 1"),
        (("app-transfer",), "app-transfer: an AppScenario repeats its transactions itself"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    answer = run(tmp_path, *words)
    assert answer.exit_code == 2
    assert line in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_numba_the_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    answer = run(tmp_path, "counter")
    assert (answer.exit_code, answer.stderr) == (
        2,
        "hotrow: hotrow simulate needs numba: pip install 'hotrow[simulate]'\n",
    )
