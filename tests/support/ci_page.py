"""docs/ci.md and action.yml, read: their YAML, their TOML and the commands of their steps."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (ROOT / "docs" / "ci.md").read_text()
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLES = {"TARGET": "dsql://abc123.dsql.us-east-1.on.aws"}


def blocks(language: str) -> list[str]:
    """The blocks of the page in a language."""
    return [text for name, text in _FENCED.findall(PAGE) if name == language]


def _pages() -> list[dict[Any, Any]]:
    return [yaml.safe_load(text) for text in blocks("yaml")]


def workflows() -> list[dict[Any, Any]]:
    """The workflows for GitHub."""
    return [page for page in _pages() if "jobs" in page]


def gitlab_job() -> dict[str, Any]:
    """The job for GitLab."""
    (job,) = (page["contention"] for page in _pages() if "jobs" not in page)
    return dict(job)


def commands() -> Iterator[list[str]]:
    """Every command line of the page, with its variables filled in."""
    scripts = [
        step.get("run", "") for page in workflows() for job in page["jobs"].values() for step in job["steps"]
    ]
    job = gitlab_job()
    for script in (*scripts, *job["before_script"], *job["script"], *blocks("sh")):
        for line in script.replace("\\\n", " ").splitlines():
            for name, value in _VARIABLES.items():
                line = line.replace(f"${name}", value)  # noqa: PLW2901 - filled in step by step
            yield shlex.split(line)
