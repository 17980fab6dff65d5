"""pgbench is the judge: it and hotrow run scripts over the whole language, and leave the same tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotrow.errors import HotrowError
from hotrow.targets.target import parse_target, start
from tests.script.deterministic import FILL, PIPELINES, SCRIPTS, SEED, TABLES
from tests.support.scripting import (
    PLAIN,
    find_pgbench,
    play_script,
    rows_of,
    run_all,
    run_pgbench,
    schema_with,
    script_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXECUTIONS = 3
FAULTS = {
    "division by zero": "\\set a 1 / 0\nSELECT 1;",
    "too large": "\\set a 9223372036854775807 + 1\nSELECT 1;",
    "too large a product": "\\set a 4611686018427387904 * 2\nSELECT 1;",
    "no number": "\\set a true + 1\nSELECT 1;",
    "no boolean": "\\set a not 1\nSELECT 1;",
    "an empty range": "\\set a random(2, 1)\nSELECT 1;",
    "a parameter too small": "\\set a random_zipfian(1, 9, 1.0)\nSELECT 1;",
    "a parameter of 1": "\\set a random_gaussian(1, 9, 1.9)\nSELECT 1;",
    "a parameter of 0": "\\set a random_exponential(1, 9, 0.0)\nSELECT 1;",
    "no size": "\\set a permute(1, 0)\nSELECT 1;",
    "a double too large": "\\set a int(1e30)\nSELECT 1;",
    "no row": "SELECT id FROM item WHERE id = 0 \\gset\nSELECT 1;",
    "two rows": "SELECT id FROM item \\gset\nSELECT 1;",
    "not set": "\\set a :nothing\nSELECT 1;",
    "no function": "\\set a nothing(1)\nSELECT 1;",
    "too many arguments": "\\set a abs(1, 2)\nSELECT 1;",
    "a comparison of comparisons": "\\set a 1 < 2 < 3\nSELECT 1;",
    "no operand": "\\set a 1 +\nSELECT 1;",
    "no end": "\\if true\nSELECT 1;",
    "else twice": "\\if true\n\\else\n\\else\n\\endif\nSELECT 1;",
    "elif after else": "\\if true\n\\else\n\\elif true\n\\endif\nSELECT 1;",
    "endif alone": "\\endif\nSELECT 1;",
    "gset alone": "\\set a 1\n\\gset\nSELECT 1;",
    "no command": "\\nothing\nSELECT 1;",
    "an open transaction": "BEGIN;\nSELECT 1;",
    "no unit": "\\sleep 1 hours\nSELECT 1;",
}
"""Scripts that pgbench refuses or aborts."""


@pytest.fixture(scope="module")
def pgbench(hotrow_home: Path) -> str:
    """pgbench, of the embedded server or of the machine."""
    assert hotrow_home
    program = find_pgbench()
    if program is None:
        pytest.skip("there is no pgbench of PostgreSQL 17 or newer")
    return program


@pytest.fixture(scope="module")
def dsn(hotrow_home: Path) -> str:
    """The database with ordinary tables."""
    assert hotrow_home
    return str(start(parse_target(PLAIN)).conninfo)


@pytest.fixture(scope="module")
def schemas(dsn: str) -> Iterator[tuple[str, str]]:
    """Two schemas with the same tables."""
    with schema_with(dsn, TABLES) as theirs, schema_with(dsn, TABLES) as ours:
        yield theirs, ours


@pytest.mark.parametrize("name", [*SCRIPTS, *PIPELINES])
def test_a_script_has_the_same_effect(
    name: str, pgbench: str, dsn: str, schemas: tuple[str, str], tmp_path: Path
) -> None:
    """Both run it three times on the same rows."""
    theirs, ours = schemas
    text = {**SCRIPTS, **PIPELINES}[name]
    script = tmp_path / "script.sql"
    script.write_text(text)
    words = [f"-t{EXECUTIONS}", "-D", f"default_seed={SEED}", "-D", "count=0", "-f", str(script)]
    for schema in schemas:
        run_all(dsn, schema, FILL)
    filled = rows_of(dsn, ours, "item", "entry")

    done = run_pgbench(pgbench, dsn, *words, *(["-M", "prepared"] * (name in PIPELINES)), schema=theirs)
    play_script(
        script_of(text, tmp_path, schema=ours, define=f"default_seed={SEED} count=0"), ours, EXECUTIONS
    )

    assert done.returncode == 0, done.stderr
    expected = rows_of(dsn, theirs, "item", "entry")
    assert expected != filled
    assert rows_of(dsn, ours, "item", "entry") == expected


@pytest.mark.parametrize("name", FAULTS)
def test_what_pgbench_refuses_is_refused(
    name: str, pgbench: str, dsn: str, schemas: tuple[str, str], tmp_path: Path
) -> None:
    """The refusal names file, line and column."""
    theirs, ours = schemas
    script = tmp_path / "script.sql"
    script.write_text(FAULTS[name])
    for schema in schemas:
        run_all(dsn, schema, FILL)

    done = run_pgbench(pgbench, dsn, "-t1", "-f", str(script), schema=theirs)

    assert done.returncode != 0
    with pytest.raises(HotrowError, match=r"s\w+\.sql:\d+:\d+: "):
        play_script(script_of(FAULTS[name], tmp_path, schema=ours), ours, 1)
