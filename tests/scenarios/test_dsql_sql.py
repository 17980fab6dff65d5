"""The SQL of every scenario uses only what Aurora DSQL supports."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.attempt.receipts import COUNT, TABLE, WRITE
from hotrow.errors import Rejected
from hotrow.keys.skew import KeySource, parse_skew
from hotrow.scenario import AppScenario
from hotrow.standin.rewriting.rewrite import rewrite
from hotrow.tables.run_schema import RunSchema
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start
from scenarios import ALL
from tests.support.commands import BIN

if TYPE_CHECKING:
    from hotrow.scenario import Result, Scenario

KEYS = 100
TRANSACTIONS = 50
REFUSED = "hotrow.refuse("
"""The form of a statement that Aurora DSQL refuses, after rewriting."""
LINT = shutil.which("dsql-lint", path=BIN) or shutil.which("dsql-lint")


class Noting:
    """A session that keeps its statements."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.statements: dict[str, None] = {}

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.statements[sql] = None
        result: Result = self._session.execute(sql, *parameters)
        return result

    def think(self, seconds: float) -> None:
        """No time passes."""


def statements(scenario: Scenario) -> list[str]:
    """The statements for tables, seeds, fifty transactions and a check, played on the stand-in.

    An application's transactions are left out: they run as they are, and the rehearsal finds what is refused.
    """
    target = start(parse_target("local:rtt=0,commit=0"))
    run_schema = RunSchema(target, f"hotrow_sql_{scenario.name.replace('-', '_')}", scenario, BLOCKING)
    run_schema.build(KEYS)
    session = target.connect(BLOCKING, run_schema.schema)
    noting = Noting(session)
    rng = np.random.default_rng(1)
    keys = KeySource(parse_skew("uniform").table(KEYS), rng)
    for _ in range(0 if isinstance(scenario, AppScenario) else TRANSACTIONS):
        session.begin()
        with suppress(Rejected):
            scenario.run(noting, scenario.draw(keys, rng))
        session.rollback()
    scenario.observe(noting)
    session.close()
    run_schema.drop()
    return [*scenario.tables(), *scenario.seed(KEYS), *scenario.reset(KEYS), *noting.statements]


@pytest.fixture(scope="module")
def all_statements(hotrow_home: object) -> dict[str, list[str]]:
    """The statements of each scenario, and of receipts."""
    assert hotrow_home
    of_scenarios = {name: statements(kind()) for name, kind in ALL.items()}
    return {**of_scenarios, "receipts": [TABLE, WRITE, COUNT]}


def lint(sql: list[str]) -> list[str]:
    """The findings of AWS's linter about these statements; it needs no network."""
    if LINT is None:
        pytest.skip("dsql-lint is not installed")
    text = ";\n".join(sql) + ";\n"
    done = subprocess.run(
        [LINT, "--format", "json", "-"], input=text, capture_output=True, text=True, check=False
    )
    files = json.loads(done.stdout)["files"]
    return [
        f"{finding['rule']}: {finding['statement_preview']}"
        for file in files
        for finding in file["diagnostics"]
    ]


def test_the_stand_in_s_rules_refuse_none(all_statements: dict[str, list[str]]) -> None:
    """The stand-in refuses what Aurora DSQL refuses, and it refuses no statement of a scenario."""
    assert REFUSED in rewrite("TRUNCATE account")
    for name, sqls in all_statements.items():
        assert len(sqls) >= 3, name
        assert [sql for sql in sqls if REFUSED in rewrite(sql)] == []


def test_aws_s_linter_has_nothing_against_any(all_statements: dict[str, list[str]]) -> None:
    """The linter works: it finds an index without ASYNC."""
    assert lint(["CREATE INDEX i ON t (v)"]) == ["index_async: CREATE INDEX i ON t (v);"]

    assert {name: lint(sqls) for name, sqls in all_statements.items()} == {name: [] for name in ALL} | {
        "receipts": []
    }
