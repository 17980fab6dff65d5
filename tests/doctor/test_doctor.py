"""Checks and their results as values: crashes, failed prerequisites, secrets, and the printed diagnosis."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from hotrow.doctor.checks import (
    SESSION,
    Assessment,
    Check,
    CheckResult,
    Diagnosis,
    Status,
    fail,
    ok,
    run_checks,
    skipped,
    warn,
)
from hotrow.doctor.console_table import WIDTH, summary, table, unreachable_line
from hotrow.errors import TargetError
from hotrow.finding import Finding
from hotrow.masking import hide_secrets

SIGNED_URL = (
    "host/?Action=DbConnectAdmin&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F2026"
    "&X-Amz-Signature=0123456789abcdef"
)


def crash() -> Assessment:
    raise ZeroDivisionError("by zero")


def refuse() -> Assessment:
    raise TargetError("no such thing; get one")


def results_of(*checks: Check, secrets: tuple[str, ...] = ()) -> dict[str, CheckResult]:
    return {result.name: result for result in run_checks(checks, secrets)}


def check(name: str, assessment: Assessment, needs: tuple[str, ...] = ()) -> Check:
    return Check(name, lambda: assessment, needs)


def diagnosis(*assessments: Assessment, session: Assessment | None = None) -> Diagnosis:
    checks = [check(f"check {number}", assessment) for number, assessment in enumerate(assessments)]
    results = run_checks([check(SESSION, session or ok("opened")), *checks])
    return Diagnosis("a target", "local", tuple(results))


def console_text(diagnosis: Diagnosis) -> str:
    text = io.StringIO()
    Console(file=text, width=WIDTH, highlight=False).print(table(diagnosis))
    return text.getvalue()


def test_a_check_that_crashes_failed_and_says_why() -> None:
    """A check that crashes counts as failed, and the checks after it still run."""
    results = results_of(Check("a", crash, context="host, port 1"), check("b", ok("fine")))

    assert results["a"].status is Status.FAIL
    assert results["a"].finding.message == "host, port 1: ZeroDivisionError: by zero"
    assert results["a"].finding.advice
    assert results["b"].status is Status.OK


def test_an_error_of_ours_brings_its_own_advice() -> None:
    """The text after the semicolon is the advice; the finding's code is the check's name."""
    results = results_of(Check("a", refuse))

    assert results["a"].status is Status.FAIL
    assert results["a"].finding == Finding("a", "no such thing", "get one")


def test_a_check_that_needs_a_failed_check_is_skipped() -> None:
    """Its message names the check that failed first, also if a check in between was skipped."""
    results = results_of(
        Check("a", crash),
        check("b", ok("fine"), needs=("a",)),
        check("c", ok("fine"), needs=("b",)),
        check("d", ok("fine")),
    )

    assert [results[name].status for name in "bcd"] == [Status.SKIPPED, Status.SKIPPED, Status.OK]
    assert {results[name].finding.message for name in "bc"} == {"needs a, which failed"}


def test_a_check_that_does_not_apply_blocks_nothing() -> None:
    """Without tokens, or after a warning, the checks that follow still run."""
    results = results_of(
        check("token", skipped("no need")),
        check("TLS", warn("none", "turn it on")),
        check(SESSION, ok("opened"), needs=("token", "TLS")),
    )

    assert results[SESSION].status is Status.OK


@pytest.mark.parametrize(
    ("examined", "exit_code"),
    [
        (diagnosis(ok("a"), warn("b", "c"), skipped("d")), 0),
        (diagnosis(ok("a"), fail("b", "c")), 1),
        (diagnosis(session=fail("refused", "ask")), 2),
        (diagnosis(session=skipped("needs TLS, which failed")), 2),
        (Diagnosis("empty", "local", ()), 2),
    ],
)
def test_the_exit_code(examined: Diagnosis, exit_code: int) -> None:
    """0: nothing failed. 1: a check failed. 2: no session could be opened."""
    assert examined.exit_code == exit_code


def test_no_secret_is_shown() -> None:
    """Message and advice hide the target's secrets and the parts of any signed token."""
    results = results_of(check("a", fail(f"hunter22 {SIGNED_URL}", "not hunter22")), secrets=("hunter22",))

    finding = results["a"].finding
    assert finding.advice == "not …"
    assert "X-Amz-Algorithm" in finding.message
    assert not any(part in finding.message for part in ("hunter22", "AKIDEXAMPLE", "0123456789abcdef"))


def test_short_words_are_not_hidden() -> None:
    """A password `test` does not hide a part of every `latest`."""
    assert hide_secrets("the latest", ("test",)) == "the latest"


def test_the_table_fits_80_columns_and_shows_advice() -> None:
    """Long messages wrap. Advice is below the message, except for a skipped check."""
    text = console_text(
        diagnosis(warn("far " * 40, "come nearer"), Assessment(Status.SKIPPED, "why", "hidden"))
    )

    assert max(map(len, text.splitlines())) <= WIDTH
    assert "→ come nearer" in text
    assert "hidden" not in text
    assert all(word in text for word in ("session", "check 0", "warn", "skipped"))


def test_the_summary_line_has_counts_and_a_verdict() -> None:
    """A status without checks is left out."""
    assert summary(diagnosis(ok("a"))) == "2 ok: ready for a run"
    assert summary(diagnosis(warn("a", "b"))) == "1 ok, 1 warn: ready for a run"
    assert summary(diagnosis(fail("a", "b"))) == "1 ok, 1 fail: not ready for a run"
    assert summary(diagnosis(session=fail("a", "b"))) == "1 fail: not reached"


def test_the_line_for_standard_error_has_cause_and_fix() -> None:
    """The line describes the first failure."""
    examined = diagnosis(fail("later", "x"), session=fail("refused", "ask"))

    assert unreachable_line(examined) == "cannot reach a target: refused; ask"


def test_json_has_every_check_with_its_measurements() -> None:
    """A check without advice has null."""
    document = json.loads(json.dumps(diagnosis(ok("near", rtt_ms={"n": 2})).as_json(), allow_nan=False))

    assert document["exit_code"] == 0
    assert document["checks"][1] == {
        "check": "check 0",
        "status": "ok",
        "seen": "near",
        "advice": None,
        "measured": {"rtt_ms": {"n": 2}},
    }
