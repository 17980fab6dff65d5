"""The action and the job for GitLab, run in a small repository of its own, with short durations.

Only the installation is replaced: hotrow is the one of the tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from tests.support.ci_page import ACTION, blocks, gitlab_job, workflows
from tests.support.commands import BIN, TIMEOUT_S, summary_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("hotrow_home")]
SHORT = {"users": "2", "duration": "1s", "options": "--warmup 0 --no-report --keys 1000", "results": "kept"}

MEASURED = {0, 4}
"""Exit codes of a run that ended as planned: a busy machine may not be able to measure in one second."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a scenario and a file of gates, made as the page says."""
    folder = tmp_path / "own" / "contention"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(main, ["new", "booking"]).exit_code == 0
    (folder / "gates.toml").write_text(blocks("toml")[0])
    return folder.parent


def bash(script: str, repository: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of a step as a runner does: bash, which ends at the first error."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=repository,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def steps() -> dict[str, dict[str, Any]]:
    """The steps of the action by name."""
    return {step.get("name", step.get("uses")): step for step in ACTION["runs"]["steps"]}


def filled(text: str, inputs: dict[str, str]) -> str:
    """The text with its inputs, as GitHub fills them in."""
    defaults = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
    return re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: {**defaults, **inputs}[found[1]], text)


def test_the_action_measures_with_the_workflow_s_inputs(repository: Path) -> None:
    """The two skews that it measures by default, judged by the file of gates; every input arrives."""
    (job,) = workflows()[0]["jobs"].values()
    inputs = {**job["steps"][-1]["with"], **SHORT}
    step = steps()["Measure, with gates"]
    (repository / "temp" / "hotrow").mkdir(parents=True)
    (repository / "temp" / "hotrow" / "bin").symlink_to(BIN)
    environment = {name: filled(text, inputs) for name, text in step["env"].items()}

    done = bash(step["run"], repository, RUNNER_TEMP=str(repository / "temp"), **environment)

    assert done.returncode in MEASURED, done.stdout + done.stderr
    (directory,) = (repository / "kept").iterdir()
    summary = summary_of(directory)
    assert [(cell["skew"], cell["users"], cell["keys"]) for cell in summary["cells"]] == [
        ("zipf:0.99", 2, 1_000),
        ("hot", 2, 1_000),
    ]
    assert len(summary["gates"]["rules"]) == 2
    kept = steps()["Keep the results"]
    assert (filled(kept["with"]["path"], inputs), kept["if"]) == ("kept", "always()")


def test_the_action_installs_itself_into_an_environment_of_its_own() -> None:
    """It neither touches the caller's Python nor the caller's packages."""
    install = steps()["Install hotrow in an environment of its own"]

    assert install["env"]["SOURCE"] == "${{ github.action_path }}"
    assert '-m venv "$RUNNER_TEMP/hotrow"' in install["run"]
    assert '--constraint "$SOURCE/constraints.txt" "$SOURCE"' in install["run"]
    assert steps()["actions/setup-python@v5"]["with"]["update-environment"] is False


def test_no_step_of_the_action_has_an_input_in_its_script() -> None:
    """An input is a variable of a step, so that its text cannot be a command."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_job_for_gitlab_leaves_test_results(repository: Path) -> None:
    """They are where the job says, with a test per gate."""
    job = gitlab_job()
    script = "\n".join(job["script"]).replace("/opt/hotrow/bin", str(BIN))
    assert "--duration 30s" in script
    done = bash(script.replace("--duration 30s", "--duration 1s --warmup 0"), repository)

    assert done.returncode in MEASURED, done.stdout + done.stderr
    (file,) = repository.glob(job["artifacts"]["reports"]["junit"])
    names = [case.get("name", "") for case in ET.parse(file).iter("testcase")]  # noqa: S314 - ours
    assert any(name.startswith("gate 2: max_conflict_rate 0.97: ") for name in names)
