"""Rewriting statements that read the system catalogues: they read the stand-in's views of them."""

from __future__ import annotations

import pytest

from hotrow.standin.rewriting.rewrite import rewrite


@pytest.mark.parametrize(
    "marked",
    [
        "SELECT * FROM <C>pg_class",
        'SELECT * FROM ONLY <C>"pg_class"',
        "TABLE <C>pg_tables",
        "SELECT pg_class.oid, pg_class FROM <C>pg_class WHERE pg_class.relname = $1",
        "SELECT 1 FROM a, <C>pg_type t JOIN <C>pg_index USING (x), LATERAL (SELECT pg_proc FROM <C>pg_proc)",
        "SELECT 1 FROM (<C>pg_type t JOIN <C>pg_depend d ON f(t, pg_depend)) WHERE a IN (1, pg_depend)",
        "WITH a AS (TABLE <C>pg_index), pg_class AS (SELECT 1) SELECT * FROM pg_class, a, <C>pg_type",
        "SELECT <C>pg_get_expr(a, b), <C>obj_description(c, 'pg_class')",
        "EXPLAIN SELECT 1 FROM <C>pg_class",
        "DELETE FROM a USING <C>pg_class, <C>pg_type WHERE true",
        "SELECT 1; SELECT 2 FROM <C>pg_class",
    ],
)
def test_a_name_gets_the_schema_of_what_replaces_it(marked: str) -> None:
    """Only where a table stands, or in a call: aliases, columns and WITH queries of the same name stay."""
    assert rewrite(marked.replace("<C>", "")) == marked.replace("<C>", "hotrow_catalog.")


@pytest.mark.parametrize(
    "marked",
    [
        "SELECT * FROM <C>.pg_class c, <I>.columns",
        'SELECT <C>."pg_class".oid FROM <C>."pg_class"',
        "SELECT <C>.pg_get_expr(a, b), <C>.col_description(c, 1) FROM <I>.tables",
        # psql's \d account
        (
            "SELECT c.oid, n.nspname, c.relname FROM <C>.pg_class c LEFT JOIN <C>.pg_namespace n ON"
            " n.oid = c.relnamespace WHERE c.relname OPERATOR(public.~) '^(account)$'"
            " AND pg_table_is_visible(c.oid) ORDER BY 2, 3;"
        ),
        (
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), (SELECT substring("
            "<C>.pg_get_expr(d.adbin, d.adrelid, true) for 128) FROM <C>.pg_attrdef d WHERE d.adrelid ="
            " a.attrelid) FROM <C>.pg_attribute a WHERE a.attrelid = '16385' AND NOT a.attisdropped;"
        ),
        "SELECT <I>._pg_truetypid(a.*, t.*) FROM <C>.pg_attribute a, <C>.pg_type t",
        "SELECT table_name FROM <I>.tables UNION SELECT <I>.tables.x, columns FROM <I>.tables",
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_schema_is_replaced_in_every_place(marked: str, quoted: bool) -> None:
    """The schema of a column changes together with the table's."""
    written = marked
    for mark, name in (("<C>", "pg_catalog"), ("<I>", "information_schema")):
        written = written.replace(mark, f'"{name}"' if quoted else name.upper())
    expected = marked.replace("<C>", "hotrow_catalog").replace("<I>", "hotrow_information")
    assert rewrite(written) == expected


def test_system_columns_are_in_another_view() -> None:
    """Its SELECT * would have more columns."""
    assert (
        rewrite("SELECT c.tableoid FROM pg_class c, pg_tables")
        == "SELECT c.tableoid FROM hotrow_catalog_rows.pg_class c, hotrow_catalog.pg_tables"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM pg_class_x, pg_stat_activity, pg_roles",
        "SELECT 'FROM pg_class', $$ FROM pg_class $$, \"a pg_class\" FROM t -- FROM pg_class",
        "SELECT pg_class FROM t WHERE a IS DISTINCT FROM pg_class",
        "SELECT 'pg_class'::regclass, x.pg_class, pg_class.x FROM t AS pg_class",
        "SELECT * FROM other.pg_class, other.pg_catalog.pg_class",
        "SELECT information_schema.tables(1), other.pg_get_expr(1) FROM information_schema.sql_features",
        "SELECT obj_description FROM t",
        "DELETE FROM pg_depend",
        "UPDATE pg_catalog.pg_class SET oid = 1",
        "CREATE VIEW v AS SELECT * FROM pg_class",
        "INSERT INTO t (pg_class) VALUES ('information_schema.tables')",
    ],
)
def test_other_text_stays(statement: str) -> None:
    """Only what PostgreSQL would find in its own catalogues is replaced."""
    assert rewrite(statement) == statement


def test_a_copy_and_a_locking_read_may_ask_a_catalogue() -> None:
    """Both rewritings are applied."""
    assert rewrite("COPY pg_class TO STDOUT") == "COPY (SELECT * FROM hotrow_catalog.pg_class) TO STDOUT"
    text = rewrite("SELECT id FROM a WHERE x IN (SELECT oid FROM pg_class) FOR UPDATE")
    assert "FROM hotrow_catalog.pg_class" in text
    assert "a__for_update(" in text
