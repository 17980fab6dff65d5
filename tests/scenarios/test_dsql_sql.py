"""The SQL of every scenario keeps to what Aurora DSQL can do."""

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
"""What the rewriting makes of a statement that Aurora DSQL refuses."""
LINT = shutil.which("dsql-lint", path=BIN) or shutil.which("dsql-lint")


class Noting:
    """A session that notes what it is asked."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.said: dict[str, None] = {}

    def execute(self, sql: str, *parameters: Any) -> Result:
        self.said[sql] = None
        result: Result = self._session.execute(sql, *parameters)
        return result

    def think(self, seconds: float) -> None:
        """No time passes."""


def statements(scenario: Scenario) -> list[str]:
    """Tables, seeds, and what fifty transactions and a check say, played on the stand-in."""
    target = start(parse_target("local:rtt=0,commit=0"))
    run_schema = RunSchema(target, f"hotrow_sql_{scenario.name.replace('-', '_')}", scenario, BLOCKING)
    run_schema.build(KEYS)
    session = target.connect(BLOCKING, run_schema.schema)
    noting = Noting(session)
    rng = np.random.default_rng(1)
    keys = KeySource(parse_skew("uniform").table(KEYS), rng)
    for _ in range(TRANSACTIONS):
        session.begin()
        with suppress(Rejected):
            scenario.run(noting, scenario.draw(keys, rng))
        session.rollback()
    scenario.observe(noting)
    session.close()
    run_schema.drop()
    return [*scenario.tables(), *scenario.seed(KEYS), *noting.said]


@pytest.fixture(scope="module")
def all_statements(hotrow_home: object) -> dict[str, list[str]]:
    """Of each scenario, and of receipts."""
    assert hotrow_home
    of_scenarios = {name: statements(kind()) for name, kind in ALL.items()}
    return {**of_scenarios, "receipts": [TABLE, WRITE, COUNT]}


def lint(sql: list[str]) -> list[str]:
    """What AWS's linter has against these statements; it reads them and needs no network."""
    if LINT is None:
        pytest.skip("dsql-lint is not installed")
    text = ";\n".join(sql) + ";\n"
    done = subprocess.run(
        [LINT, "--format", "json", "-"], input=text, capture_output=True, text=True, check=False
    )
    files = json.loads(done.stdout)["files"]
    return [
        f"{found['rule']}: {found['statement_preview']}" for file in files for found in file["diagnostics"]
    ]


def test_the_stand_in_s_rules_refuse_none(all_statements: dict[str, list[str]]) -> None:
    """Every statement passes what the stand-in refuses because Aurora DSQL does."""
    assert REFUSED in rewrite("TRUNCATE account")
    for name, said in all_statements.items():
        assert len(said) >= 3, name
        assert [sql for sql in said if REFUSED in rewrite(sql)] == []


def test_aws_s_linter_has_nothing_against_any(all_statements: dict[str, list[str]]) -> None:
    """And it would say so: an index without ASYNC is found."""
    assert lint(["CREATE INDEX i ON t (v)"]) == ["index_async: CREATE INDEX i ON t (v);"]

    assert {name: lint(said) for name, said in all_statements.items()} == {name: [] for name in ALL} | {
        "receipts": []
    }
