"""docs/ci.md: its jobs are valid YAML, and hotrow's own parsers accept every command in them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click
import pytest

from hotrow.commands.main import main
from hotrow.run.options import GATES_FILE
from tests.support.ci_page import ACTION, PAGE, blocks, commands, gitlab_job, workflows

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = list(commands())
OTHERS = (["sleep", "300"], ["python", "-m", "venv"], ["pip", "install", "--quiet"])
"""The beginnings of commands that are not ours."""


def test_a_job_measures_and_keeps_what_it_measured() -> None:
    """On GitHub by the action; on a cluster with OIDC. Each has a time limit."""
    local, cluster = workflows()

    assert local["permissions"] == {"contents": "read"}
    assert cluster["permissions"] == {"contents": "read", "id-token": "write"}
    for workflow, action in ((local, "your-org/hotrow"), (cluster, "aws-actions/configure-aws-credentials")):
        (job,) = workflow["jobs"].values()
        assert job["timeout-minutes"]
        assert action in [step.get("uses", "").partition("@")[0] for step in job["steps"]]
    assert "actions/upload-artifact" in str(cluster)
    assert gitlab_job()["artifacts"]["reports"]["junit"] == "results/*/junit.xml"


def test_the_workflow_gives_the_action_inputs_that_it_has() -> None:
    """GitHub ignores other inputs with a warning."""
    (job,) = workflows()[0]["jobs"].values()
    given = job["steps"][-1]["with"]

    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, about in ACTION["inputs"].items() if about.get("required")} <= set(given)


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(words[:3]) for words in COMMANDS])
def test_every_command_exists(words: list[str], tmp_path: Path) -> None:
    """Its words are parsed as the command itself parses them, but it is not run."""
    program = words[0].rpartition("/")[2]
    if program != "hotrow":
        assert [program, *words[1:]][:3] in [list(other)[:3] for other in OTHERS]
        return
    (tmp_path / "gates.toml").write_text(blocks("toml")[0])
    words = [str(tmp_path / "gates.toml") if word.endswith("gates.toml") else word for word in words]
    command = main.get_command(click.Context(main), words[1])

    assert command is not None
    words = words[2 : words.index(">")] if ">" in words else words[2:]
    command.make_context(words[0], words)


def test_a_command_with_an_unknown_option_would_be_found() -> None:
    """The parsers that the test above uses refuse it."""
    command = main.get_command(click.Context(main), "check")

    assert command is not None
    with pytest.raises(click.UsageError, match="--no-such-gate"):
        command.make_context("check", ["run", "--no-such-gate", "1"])


def test_every_measurement_has_gates() -> None:
    """Without a gate, the exit code of a job would mean little."""
    measured = [words for words in COMMANDS if "sweep" in words]

    assert len(measured) == 2
    assert all({"--gates", "--max-conflict-rate"} & set(words) for words in measured)


def test_the_file_of_gates_is_valid(tmp_path: Path) -> None:
    """It has a table per skew of the job."""
    (tmp_path / "gates.toml").write_text(blocks("toml")[0])
    rules = GATES_FILE.read(str(tmp_path / "gates.toml"))

    assert [rule.select["skew"] for rule in rules] == [("zipf:0.99",), ("hot",)]


def test_the_policies_are_json_and_allow_no_more_than_they_say() -> None:
    """The first says whom AWS trusts, the second what the role may do."""
    trust, rights = (json.loads(text) for text in blocks("json"))

    assert trust["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert [statement["Action"] for statement in rights["Statement"]] == [
        "dsql:DbConnectAdmin",
        "cloudwatch:GetMetricData",
    ]


def test_the_exit_codes_are_all_explained() -> None:
    """The table has the same five codes as the README."""
    assert re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE) == ["0", "1", "2", "3", "4"]
