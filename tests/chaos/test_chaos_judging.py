"""The judgement of the chaos suite: every wrong result is reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.case import Case
from tests.chaos.judging import Result, judge
from tests.chaos.trial import Trial
from tests.chaos.truth import Process
from tests.chaos.witness import CONSERVES, COUNTS

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = {7: Process([1.0, 2.0, 3.0], acknowledged=3, unknown=0)}
TORN = {7: Process([1.0, 2.0, 2.5, 3.0], acknowledged=1, unknown=1)}
STEADY = {7: Process([place / 2 for place in range(1000)], acknowledged=1000, unknown=0)}
ONE_LINE = Case("one line", codes=frozenset({0}), one_line=True)
MEASURED = Case("measured", codes=frozenset({0}), same_goodput=True)
FINE = Case("fine", codes=frozenset({0}))


def judged(folder: Path, case: Case = FINE, *, valid: bool | None = True, **changes: Any) -> Result:
    """The judgement of a run with this verdict on the counting check; `changes` replace its other facts."""
    directory = folder / "out" / "20261128T080000Z-witness"
    directory.mkdir(parents=True)
    checks = [{"name": COUNTS, "valid": valid}, {"name": CONSERVES, "valid": True}]
    cell = {"verdict": {"valid": valid, "checks": checks}, "goodput_per_s": {"value": 1.0}}
    (directory / "summary.json").write_text(json.dumps({"cells": [cell]}))
    trial = Trial("w0", folder, (), moments={"end": 11.0})
    return judge(case, trial, **{"code": 0, "output": "", "truth": WHOLE, "fault_s": 10.0, **changes})


def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    """Nothing is reported as wrong, and the line has the figures."""
    result = judged(tmp_path)

    assert (result.wrong, result.code, result.verdict, result.lost) == ([], "0", "valid valid", "0 of 3")


@pytest.mark.parametrize(
    ("case", "changes", "wrong"),
    [
        (FINE, {"code": 3}, "exit code 3"),
        (FINE, {"code": None}, "hangs"),
        (FINE, {"code": 4, "output": "hotrow: records_lost: some"}, "exit code 4"),
        (FINE, {"code": 4, "output": "hotrow: client_saturated: x\nhotrow: interrupted: y"}, "exit code 4"),
        (FINE, {"output": "Traceback (most recent call last):"}, "a traceback"),
        (FINE, {"fault_s": -50.0}, "ended after 61.0 s, not 25 s"),
        (FINE, {"valid": False}, "the counting check says INVALID"),
        (FINE, {"valid": None}, "the counting check says undecided"),
        (FINE, {"truth": TORN}, "2 records of 0.50 s are lost"),
        (Case("a", loses_s=0.4, codes=frozenset({0})), {"truth": TORN}, "2 records of 0.50 s are lost"),
        (Case("a", loses_s=0.6, codes=frozenset({0})), {"truth": TORN}, "valid although records are lost"),
        (FINE, {"truth": {7: Process([1.0], 2, 0)}}, "acknowledged what the database does not have"),
        (ONE_LINE, {"output": "hotrow: a\nhotrow: b"}, "2 lines: hotrow: a // hotrow: b"),
        (FINE, {"truth": {}}, "nothing was committed"),
        (Case("a", codes=frozenset({0}), says="clock"), {}, "does not say 'clock'"),
        (
            Case("a", codes=frozenset({0}), same_goodput=True),
            {"truth": STEADY},
            "goodput 1.0/s, by the witnesses 2/s",
        ),
    ],
)
def test_what_is_not_as_expected_is_named(
    case: Case, changes: dict[str, Any], wrong: str, tmp_path: Path
) -> None:
    """Each fact that is not as expected is reported."""
    assert wrong in judged(tmp_path, case, **changes).wrong


def test_a_busy_machine_is_no_failure(tmp_path: Path) -> None:
    """Exit code 4 is only noted if its sole reason is a saturated client."""
    result = judged(tmp_path, code=4, output="hotrow: client_saturated: the client's CPU was used up")

    assert (result.wrong, result.note) == ([], "busy machine")
