"""junit.xml: the verdict of a run as the test results that CI systems show. Pure."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from reports.words.cases import cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.words.cases import Case

_ELEMENT = {"failed": "failure", "error": "error", "skipped": "skipped"}
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 (section 2.2) has no place for, escaped or not."""


def junit(summary: Mapping[str, Any]) -> str:
    """Write a summary (format 1) as JUnit XML: one suite, with a test per gate, invariant and cell.

    A failed gate or invariant is a failure, a measurement that is not usable an error, an undecided check
    skipped. Names hold measured value, limit and verdict, because GitLab shows names alone.
    Source: the format of Jenkins' JUnit plug-in, as GitLab and GitHub's reporters read it.
    """
    run, tests = summary["run"], cases(summary)
    counts = {status: sum(case.status == status for case in tests) for status in _ELEMENT}
    seconds = sum(cell["seconds"] for cell in summary["cells"])
    totals = {
        "tests": str(len(tests)),
        "failures": str(counts["failed"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{seconds:.3f}",
    }
    suites = ET.Element("testsuites", {"name": "hotrow", **totals})
    label = _legal(f"{run['scenario']} on {run['target']['label']}")
    started = {"timestamp": _legal(run["started_utc"])} if run.get("started_utc") else {}
    suite = ET.SubElement(suites, "testsuite", {"name": label, **started, **totals})
    for case in tests:
        _add(suite, case, _legal(run["scenario"]))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, case: Case, scenario: str) -> None:
    names = {"classname": f"{scenario}.{case.group}", "name": _legal(case.name), "time": "0"}
    test = ET.SubElement(suite, "testcase", names)
    if case.status in _ELEMENT:
        element = ET.SubElement(test, _ELEMENT[case.status], {"message": _legal(case.text or case.name)})
        element.text = _legal(case.text or case.name)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
