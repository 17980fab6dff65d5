"""Checks as values: what a crash, a failed need and a secret come to, and how it is shown."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from hotrow.doctor.checks import (
    SESSION,
    Check,
    Checked,
    Diagnosis,
    Finding,
    Status,
    fail,
    look_at,
    ok,
    skipped,
    warn,
)
from hotrow.doctor.console_table import WIDTH, ending, table, unreachable_line
from hotrow.errors import TargetError
from hotrow.masking import hide_secrets

SIGNED_URL = (
    "host/?Action=DbConnectAdmin&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F2026"
    "&X-Amz-Signature=0123456789abcdef"
)


def crash() -> Finding:
    raise ZeroDivisionError("by nought")


def refuse() -> Finding:
    raise TargetError("no such thing; get one")


def seen(*checks: Check, secrets: tuple[str, ...] = ()) -> dict[str, Finding]:
    return {each.name: each.finding for each in look_at(checks, secrets)}


def diagnosis(*findings: Finding, session: Finding | None = None) -> Diagnosis:
    checks = [Checked(SESSION, session or ok("opened"))]
    checks += [Checked(f"check {number}", finding) for number, finding in enumerate(findings)]
    return Diagnosis("a target", "local", tuple(checks))


def shown(found: Diagnosis) -> str:
    text = io.StringIO()
    Console(file=text, width=WIDTH, highlight=False).print(table(found))
    return text.getvalue()


def test_a_check_that_crashes_failed_and_says_why() -> None:
    """Whatever was raised, it is never ok, and the checks after it are still made."""
    found = seen(Check("a", crash, where="host, port 1"), Check("b", lambda: ok("fine")))

    assert found["a"].status is Status.FAIL
    assert found["a"].seen == "host, port 1: ZeroDivisionError: by nought"
    assert found["a"].advice
    assert found["b"].status is Status.OK


def test_an_error_of_ours_brings_its_own_advice() -> None:
    """What stands behind the semicolon is what to do."""
    found = seen(Check("a", refuse))

    assert found["a"] == fail("no such thing", "get one")


def test_what_needs_a_failed_check_is_skipped_by_name() -> None:
    """The name is that of the first cause, also where a need was itself skipped."""
    found = seen(
        Check("a", crash),
        Check("b", lambda: ok("fine"), needs=("a",)),
        Check("c", lambda: ok("fine"), needs=("b",)),
        Check("d", lambda: ok("fine")),
    )

    assert [found[name].status for name in "bcd"] == [Status.SKIPPED, Status.SKIPPED, Status.OK]
    assert {found["b"].seen, found["c"].seen} == {"needs a, which failed"}


def test_what_is_skipped_for_another_reason_blocks_nothing() -> None:
    """No token on a target that wants none is no reason not to connect; nor is a warning."""
    found = seen(
        Check("token", lambda: skipped("no need")),
        Check("TLS", lambda: warn("none", "turn it on")),
        Check(SESSION, lambda: ok("opened"), needs=("token", "TLS")),
    )

    assert found[SESSION].status is Status.OK


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (diagnosis(ok("a"), warn("b", "c"), skipped("d")), 0),
        (diagnosis(ok("a"), fail("b", "c")), 1),
        (diagnosis(session=fail("refused", "ask")), 2),
        (diagnosis(session=skipped("needs TLS, which failed")), 2),
        (Diagnosis("empty", "local", ()), 2),
    ],
)
def test_the_exit_code(found: Diagnosis, code: int) -> None:
    """0: nothing failed. 1: something did. 2: there was no session to examine anything in."""
    assert found.exit_code == code


def test_no_secret_passes() -> None:
    """Neither in what was seen nor in the advice: a given secret, and the parts of any signed token."""
    found = seen(Check("a", lambda: fail(f"hunter22 {SIGNED_URL}", "not hunter22")), secrets=("hunter22",))

    assert found["a"].advice == "not …"
    assert not any(part in found["a"].seen for part in ("hunter22", "AKIDEXAMPLE", "0123456789abcdef"))


def test_short_words_are_no_secrets() -> None:
    """A password of `test` does not blot out every `latest`."""
    assert hide_secrets("the latest", ("test",)) == "the latest"


def test_the_table_fits_80_columns_and_says_what_to_do() -> None:
    """Long texts wrap; advice stands below what was seen, but not below what was skipped."""
    text = shown(diagnosis(warn("far " * 40, "come nearer"), Finding(Status.SKIPPED, "why", "hidden")))

    assert max(map(len, text.splitlines())) <= WIDTH
    assert "→ come nearer" in text
    assert "hidden" not in text
    assert all(word in text for word in ("session", "check 0", "warn", "skipped"))


def test_the_last_line_counts_and_judges() -> None:
    """What there was none of is not mentioned."""
    assert ending(diagnosis(ok("a"))) == "2 ok: ready for a run"
    assert ending(diagnosis(warn("a", "b"))) == "1 ok, 1 warn: ready for a run"
    assert ending(diagnosis(fail("a", "b"))) == "1 ok, 1 fail: not ready for a run"
    assert ending(diagnosis(session=fail("a", "b"))) == "1 fail: not reached"


def test_the_line_for_standard_error_names_cause_and_cure() -> None:
    """The first failure, in one line."""
    found = diagnosis(fail("later", "x"), session=fail("refused", "ask"))

    assert unreachable_line(found) == "cannot reach a target: refused; ask"


def test_json_has_every_check_with_its_figures() -> None:
    """Absent advice is null."""
    facts = json.loads(json.dumps(diagnosis(ok("near", rtt_ms={"n": 2})).as_json(), allow_nan=False))

    assert facts["exit_code"] == 0
    assert facts["checks"][1] == {
        "check": "check 0",
        "status": "ok",
        "seen": "near",
        "advice": None,
        "measured": {"rtt_ms": {"n": 2}},
    }
