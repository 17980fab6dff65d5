"""What CI shows of a run: test cases, junit.xml, summary.md, annotations, regression files."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from reports.output.github import MAX_ANNOTATIONS, workflow_commands
from reports.output.junit import junit
from reports.output.markdown import MAX_BYTES, markdown
from reports.output.regression import bencher, github_action_benchmark
from reports.words.cases import cases
from tests.support.sample_summary import RETRY, sample_summary

HOSTILE = "<script>alert('x')</script>\n::error::`|]]>\x00\ud800 & %0A"


def gate(verdict: str, cell: int = 0, text: str = "--max-p99-ms 5: 7 measured: failed") -> dict[str, Any]:
    return {
        "gate": "--max-p99-ms",
        "cell": cell,
        "limit": 5.0,
        "measured": 7.0,
        "verdict": verdict,
        "text": text,
    }


def judged(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
    gates = {"limits": {}, "breaches": [], "doubts": [], "checks": list(checks)}
    return {**sample_summary(skews=("uniform", "hot"), users=(1, 8), full=True, **options), "gates": gates}


def statuses(summary: dict[str, Any], group: str) -> list[str]:
    return [case.status for case in cases(summary) if case.group == group]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("met", "passed"), ("failed", "failed"), ("doubtful", "passed"), ("not measured", "error")],
)
def test_a_gate_is_a_case_named_by_its_line(verdict: str, status: str) -> None:
    """The name has measured value, limit and verdict: GitLab shows names alone."""
    summary = judged(gate(verdict))

    assert [(case.name, case.status) for case in cases(summary) if case.group == "gates"] == [
        ("--max-p99-ms 5: 7 measured: failed", status)
    ]


def test_each_invariant_of_each_cell_is_a_case() -> None:
    """What holds passes, and wrong data fails with the first violation in the name."""
    summary = judged(invalid=True)
    (wrong,) = [case for case in cases(summary) if case.group == "invariants" and case.status == "failed"]

    assert len(statuses(summary, "invariants")) == 4
    assert "is violated in" in wrong.name
    assert "violation" in wrong.text


def test_an_undecided_check_is_skipped_with_its_reason() -> None:
    """Nobody knows whether it holds: neither passed nor failed."""
    summary = judged()
    check = {"name": "total", "valid": None, "count": 0, "details": {"error": "records were lost"}}
    summary["cells"][0]["verdict"] = {"valid": None, "checks": [check]}
    (case,) = [case for case in cases(summary) if case.status == "skipped"]

    assert (case.name, case.text) == ("total is undecided in uniform, 1 user", "total: records were lost")


def test_an_unusable_cell_is_an_error_and_so_are_missing_cells() -> None:
    """Both mean that a number cannot be quoted, not that the database is wrong."""
    assert statuses(judged(), "measurements") == ["passed", "passed", "passed", "error", "error"]


def test_a_run_without_cells_is_an_error() -> None:
    """A job that measured nothing must not be green."""
    summary = {**judged(), "cells": [], "warnings": []}

    assert [case.status for case in cases(summary)] == ["error"]


def test_junit_counts_what_it_holds() -> None:
    """The totals are those of the elements, and every failure has its text twice: message and body."""
    root = ET.fromstring(junit(judged(gate("failed"), gate("met"), invalid=True)))  # noqa: S314 - ours
    suite = root.find("testsuite")
    assert suite is not None
    tests = list(suite.iter("testcase"))

    assert (suite.get("tests"), len(tests)) == (str(len(tests)), 2 + 4 + 5)
    assert suite.get("failures") == str(len(list(suite.iter("failure")))) == "2"
    assert suite.get("errors") == str(len(list(suite.iter("error")))) == "2"
    assert all(each.get("message") == each.text for each in suite.iter("failure"))


def test_nothing_hostile_gets_out() -> None:
    """Names and error texts of users and servers are data, in XML, Markdown and workflow commands."""
    summary = judged(gate("failed", text=HOSTILE), invalid=True)
    summary["run"]["scenario"] = HOSTILE
    for cell in summary["cells"]:
        cell["knobs"] = {"mode": f"{HOSTILE}{cell['id']}"}
        for check in cell["verdict"]["checks"]:
            check.update(name=HOSTILE, details={HOSTILE: HOSTILE}, first={HOSTILE: HOSTILE})
    text = markdown(summary, ["conflicts.png"])
    lines = workflow_commands(summary)

    tests = ET.fromstring(junit(summary)).iter("testcase")  # noqa: S314 - ours; it raises if it is no XML
    assert {element.tag for test in tests for element in test} <= {"failure", "error", "skipped"}
    assert "<script" not in text
    assert not re.search(r"(?<!\\)[<`]script", text)
    assert len(lines) >= 3
    assert all(re.fullmatch(r"::(error|warning) title=[^:,\n]+::[^\n\r]*", line) for line in lines)


def test_markdown_fits_whatever_the_run() -> None:
    """Rows that do not fit are left out and counted."""
    summary = judged(gate("met"))
    summary["cells"] = [{**summary["cells"][0], "id": number, "users": number + 1} for number in range(1_000)]
    text = markdown(summary, ["conflicts.png"])
    rows = [line for line in text.splitlines() if line.startswith("| uniform")]
    left_out = re.search(r"([\d,]+) more cells in summary.json", text)

    assert len(text.encode()) <= MAX_BYTES
    assert left_out
    assert len(rows) + int(left_out[1].replace(",", "")) == 1_000
    assert "`conflicts.png`" in text


def test_markdown_has_verdict_gates_and_a_row_per_cell() -> None:
    """A reviewer sees at once what failed."""
    text = markdown(judged(gate("failed"), invalid=True), [])

    assert "an invariant was violated in 1 of 4 cells" in text
    assert "--max-p99-ms 5: 7 measured" in text
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 2 + 4


def test_annotations_are_ten_at_most_and_say_what_is_left_out() -> None:
    """GitHub drops the rest without a word."""
    summary = judged(*[gate("failed") for _ in range(30)], invalid=True)
    lines = workflow_commands(summary)

    assert len(lines) == MAX_ANNOTATIONS
    assert lines[0].startswith("::error title=hotrow%3A Invariant::")
    assert "24 more did not pass" in lines[-1]


def test_a_run_that_passed_has_no_annotation() -> None:
    """No news is no annotation."""
    summary = judged(gate("met"))
    summary["cells"], summary["warnings"] = summary["cells"][:3], []

    assert workflow_commands(summary) == []


def test_bencher_has_every_usable_cell_with_its_bounds() -> None:
    """Values are those of the summary; what is absent or unusable is left out."""
    summary = judged()
    found = bencher(summary)
    cell = summary["cells"][1]
    metric = found[f"counter: uniform, 1000 keys, 8 users, {RETRY}"]["conflict-rate"]

    assert len(found) == 3
    assert metric["value"] == cell["conflict_rate"]["value"]
    assert (metric["lower_value"], metric["upper_value"]) == (
        cell["conflict_rate"]["low"],
        cell["conflict_rate"]["high"],
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_benchmarks_are_split_by_direction() -> None:
    """Goodput is better when bigger; conflicts, give-ups and latency when smaller."""
    bigger = github_action_benchmark(judged(), bigger_is_better=True)
    smaller = github_action_benchmark(judged(), bigger_is_better=False)

    assert {each["unit"] for each in bigger} == {"commits per second"}
    assert {each["unit"] for each in smaller} == {"conflicts per attempt", "give-ups per transaction", "ms"}
    assert all({"name", "unit", "value"} <= each.keys() for each in [*bigger, *smaller])
    assert len({each["name"] for each in [*bigger, *smaller]}) == len(bigger) + len(smaller)
