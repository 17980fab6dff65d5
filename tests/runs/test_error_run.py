"""A sweep whose transactions fail with plain errors: exit code 1, with message, statement and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import exit_code, only_run, run, summary_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("hotrow_home")

PAY = '''
from hotrow.scenario import Scenario, Work

REFUND = "SELECT (CASE WHEN (SELECT count(*) FROM pays) > 10 THEN $1::text ELSE '1' END)::int"


class Pay(Scenario):
    """Payments whose ids collide, and after the first ones refunds whose parameter is not a number."""

    name = "pay"
    kinds = ("pay", "refund")

    def tables(self):
        return ["CREATE TABLE pays (id bigint PRIMARY KEY, payer text)"]

    def seed(self, keys):
        return ["INSERT INTO pays VALUES (0, 'nobody')"]

    def draw(self, keys, rng):
        return Work(parameters=(int(rng.integers(1, 40)),), writes=(), kind=int(rng.integers(2)))

    def run(self, session, work):
        if work.kind == 0:
            session.execute("INSERT INTO pays VALUES ($1, $2)", *work.parameters, "secret payer")
        else:
            session.execute(REFUND, f"secret {work.parameters[0]}")

    def observe(self, session):
        return {}

    def check(self, before, after, tally):
        return []
'''


def test_transactions_that_fail_in_errors_fail_the_run(tmp_path: Path) -> None:
    """No option is needed. summary.json has the errors; no output or file has a parameter value."""
    scenario = tmp_path / "pay.py"
    scenario.write_text(PAY)
    words = ["--skew", "uniform", "--keys", "50", "--users", "2", "--duration", "1s", "--warmup", "500ms"]

    done = run("hotrow", "sweep", str(scenario), *words, "--out", str(tmp_path / "out"))

    assert exit_code(done) == 1, done.stderr
    assert "--max-error-rate" in done.stderr
    (cell,) = summary_of(only_run(tmp_path / "out"))["cells"]
    errors = {error["sqlstate"]: error for error in cell["errors"]}
    assert set(errors) == {"23505", "22P02"}
    assert errors["23505"]["message"] == 'duplicate key value violates unique constraint "pays_pkey"'
    assert errors["23505"]["statement"] == "INSERT INTO pays VALUES ($1, $2)"
    assert errors["22P02"]["kind"] == "refund"
    assert errors["22P02"]["place"].startswith("pay.py:")
    assert max(cell["limit"]["user_time"].items(), key=lambda part: part[1])[0] == "errors"
    assert "secret" not in done.stdout + done.stderr
    assert not [path for path in only_run(tmp_path / "out").iterdir() if b"secret " in path.read_bytes()]
