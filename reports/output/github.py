"""Annotations of GitHub Actions: what failed in a run, on the page of its pull request. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.words.cases import cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.words.cases import Case

MAX_ANNOTATIONS = 10
"""GitHub shows ten errors and ten warnings of a step, and silently drops the rest."""
_LEVELS = {"failed": "error", "error": "warning"}
_TITLES = {"gates": "Gate", "invariants": "Invariant", "measurements": "Measurement"}


def workflow_commands(summary: Mapping[str, Any]) -> list[str]:
    """Write workflow commands for the cases of a summary (format 1) that did not pass, worst first.

    At most `MAX_ANNOTATIONS` lines; the last one says how many are left out.
    Source: GitHub, "Workflow commands for GitHub Actions".
    """
    found = sorted((case for case in cases(summary) if case.status in _LEVELS), key=_rank)
    shown = found if len(found) <= MAX_ANNOTATIONS else found[: MAX_ANNOTATIONS - 1]
    lines = [_command(_LEVELS[case.status], f"hotrow: {_TITLES[case.group]}", case.name) for case in shown]
    if len(found) > len(shown):
        more = f"{len(found) - len(shown)} more did not pass: junit.xml has all of them"
        lines.append(_command("warning", "hotrow", more))
    return lines


def _rank(case: Case) -> tuple[int, int]:
    """Wrong data first, then gates, then measurements."""
    return (list(_LEVELS).index(case.status), ("invariants", "gates", "measurements").index(case.group))


def _command(level: str, title: str, text: str) -> str:
    return f"::{level} title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
