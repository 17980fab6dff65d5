"""docs/ci.md: its workflows are valid YAML, and hotrow's own parsers accept every command in them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from hotrow.commands.main import main
from tests.support.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "ci.md").read_text()
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLES = {"TARGET": "dsql://abc123.dsql.us-east-1.on.aws"}
PARSE_LOCUST = """
import sys
from locust.argument_parser import get_parser
import hotrow.load.locust_options as ours
options = get_parser(default_config_files=[]).parse_args(sys.argv[1:])
from scenarios.transfer import Transfer
ours.read_request(options, Transfer())
from hotrow.targets.target import parse_target
parse_target(options.host)
"""


def blocks(language: str) -> list[str]:
    return [text for name, text in FENCED.findall(PAGE) if name == language]


def workflows() -> list[dict[Any, Any]]:
    return [yaml.safe_load(text) for text in blocks("yaml")]


def commands() -> Iterator[list[str]]:
    """Every command line of every step, with its variables filled in."""
    for workflow in workflows():
        for job in workflow["jobs"].values():
            for step in job["steps"]:
                for line in step.get("run", "").replace("\\\n", " ").splitlines():
                    for name, value in VARIABLES.items():
                        line = line.replace(f"${name}", value)  # noqa: PLW2901 - filled in step by step
                    yield shlex.split(line)


COMMANDS = list(commands())


def test_there_are_two_workflows() -> None:
    """One runs on the stand-in, one on a cluster with OIDC. Both upload artifacts and have a time limit."""
    local, cluster = workflows()

    assert local["permissions"] == {"contents": "read"}
    assert cluster["permissions"] == {"contents": "read", "id-token": "write"}
    for workflow in (local, cluster):
        (job,) = workflow["jobs"].values()
        used = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        assert job["timeout-minutes"]
        assert "actions/upload-artifact" in used
        assert ("aws-actions/configure-aws-credentials" in used) is (workflow is cluster)


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(words[:3]) for words in COMMANDS])
def test_every_command_exists(words: list[str]) -> None:
    """Its words are parsed as the command itself parses them, but it is not run."""
    program = words[0].rpartition("/")[2]
    if program == "locust":
        assert (ROOT / words[words.index("-f") + 1]).exists()
        done = subprocess.run(
            [sys.executable, "-c", PARSE_LOCUST, *words[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    elif program == "hotrow":
        command = main.get_command(click.Context(main), words[1])
        assert command is not None
        command.make_context(words[1], words[2:])
    else:
        assert words in (["make", "setup"], ["sleep", "300"])


def test_a_command_with_an_unknown_option_would_be_found() -> None:
    """The parser that the test above uses refuses it."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE_LOCUST, "--no-such-gate", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "--no-such-gate" in done.stderr


def test_both_measurements_have_gates() -> None:
    """Without a gate, the exit code of a workflow would mean nothing."""
    measured = [words for words in COMMANDS if words[0].endswith("locust")]

    assert len(measured) == 2
    assert all("--max-conflict-rate" in words and "--headless" in words for words in measured)


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
