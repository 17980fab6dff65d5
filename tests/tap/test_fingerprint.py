"""The form of a statement: no value in it, and the tables that it names."""

from __future__ import annotations

import random
import re

import pytest

from hotrow.tap.fingerprint import MAX_CHARACTERS, form_of, masked

SECRET = "s3cr3tvalue"
MASKED = {
    "UPDATE a SET n = n - 10.5e-3 WHERE id = $1 -- why\n": "UPDATE a SET n = n - ? WHERE id = ?",
    "SELECT  1 ,\n 2.5, .5, 0x1F, 1_000": "SELECT ?, …",
    "INSERT INTO a (x,y) VALUES (1,'b'), ( 2 , 'c')": "INSERT INTO a (x,y) VALUES (?, …), …",
    "SELECT a1, t2.b3 FROM t2": "SELECT a1, t2.b3 FROM t2",
    'SELECT "Mixed""Case" FROM "T 1"': 'SELECT "Mixed""Case" FROM "T 1"',
    "SELECT /* to */ x FROM a;": "SELECT x FROM a",
}
HIDING = (
    "SELECT '{}'",
    "SELECT 'it''s {}'",
    "SELECT E'{}'",
    "SELECT E'a\\'{}'",
    "SELECT $${}$$, $tag$ ' {} $tag$",
    "SELECT U&'{}', B'01', x'{}'",
    "SELECT 'open {}",
    'SELECT "open {}',
    "SELECT 1 -- {}",
    "SELECT 1 /* {} */",
    "SELECT 1 /* a /* b */ {} */",
    "SELECT 1 /* {}",
)
TABLES = {
    "UPDATE a SET n = ?": (("a",), (), ()),
    "INSERT INTO s.a (x) VALUES (?, …), …": (("s.a",), (), ()),
    "INSERT INTO a (x) SELECT y FROM b": (("a",), (), ("b",)),
    "DELETE FROM a USING b WHERE a.x = b.x": (("a",), (), ("b",)),
    "SELECT x FROM a, b JOIN c ON c.x = b.x": ((), (), ("a", "b", "c")),
    "SELECT x FROM a WHERE id IN (?, …) FOR UPDATE": ((), ("a",), ()),
    "WITH w AS (SELECT x FROM b) UPDATE a SET n = w.x FROM w": (("a",), (), ("b",)),
    "SELECT extract(year FROM t) FROM a WHERE x IS DISTINCT FROM y": ((), (), ("a",)),
    "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN UPDATE SET n = ?": (("a",), (), ("b",)),
    "COPY a FROM STDIN": (("a",), (), ()),
    "UPDATE a SET this is not SQL ((": (("a",), (), ()),
    "GRANT x": ((), (), ()),
}


@pytest.mark.parametrize("text", MASKED)
def test_values_and_comments_are_masked(text: str) -> None:
    """Names stay."""
    assert masked(text.encode()) == MASKED[text]


@pytest.mark.parametrize("text", HIDING)
def test_no_literal_is_left(text: str) -> None:
    """However it is written, and even if it does not end."""
    assert SECRET not in masked(text.replace("{}", SECRET).encode())


def test_no_literal_is_left_in_random_text() -> None:
    """Quotes, comments and tags in any order: what PostgreSQL reads as a value is never kept."""
    rng = random.Random(14)
    parts = (
        "'{}'",
        "$${}$$",
        "$x${}$x$",
        "/*{}*/",
        "--{}\n",
        "E'{}'",
        '"name"',
        " a = ",
        "1{}",
        "''",
        ",",
        "(",
        ")",
    )
    for _ in range(2_000):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(1, 12)))
        assert not re.search(SECRET, masked(text.replace("{}", SECRET).encode())), text


@pytest.mark.parametrize("text", TABLES)
def test_the_tables_are_told_apart_by_what_is_done_to_them(text: str) -> None:
    """Written, locked or read. CTEs and functions are no tables."""
    form = form_of(text)

    assert (form.writes, form.locks, form.reads) == TABLES[text]


def test_a_long_statement_is_cut_off_and_keeps_its_table() -> None:
    """A bulk insert has one form, whatever its size is."""
    columns = ", ".join(f"column_{number}" for number in range(100))
    form = form_of(masked(f"INSERT INTO a ({columns}) VALUES (1)".encode()))

    assert len(form.text) < MAX_CHARACTERS + 10
    assert form.writes == ("a",)
