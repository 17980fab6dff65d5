"""Puts the stand-in's views of the system catalogues in the place of PostgreSQL's.

In them each adopted table is one table. `sql/4_catalogue.sql` makes them, in schemas of their own. They have
the names of what they replace, so only the schema in a statement changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.standin.rewriting.sql_text import Edit, Statement


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


TABLES = _names(
    "pg_attrdef pg_attribute pg_class pg_constraint pg_default_acl pg_depend pg_description"
    " pg_event_trigger pg_index pg_namespace pg_proc pg_rewrite pg_statistic pg_trigger pg_type"
)
"""The catalogues that are tables. They have system columns."""
VIEWS = _names(
    "pg_indexes pg_sequences pg_stat_all_indexes pg_stat_all_tables pg_stat_user_functions"
    " pg_stat_user_indexes pg_stat_user_tables pg_stat_xact_all_tables pg_stat_xact_user_tables"
    " pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables pg_statio_user_indexes"
    " pg_statio_user_sequences pg_statio_user_tables pg_stats pg_tables pg_views"
)
FUNCTIONS = _names(
    "col_description obj_description pg_column_is_updatable pg_get_constraintdef pg_get_expr"
    " pg_get_indexdef pg_get_serial_sequence pg_indexes_size pg_relation_is_updatable pg_relation_size"
    " pg_table_size pg_total_relation_size"
)
INFORMATION = _names(
    "check_constraint_routine_usage check_constraints column_column_usage column_domain_usage"
    " column_privileges column_udt_usage columns constraint_column_usage constraint_table_usage"
    " key_column_usage parameters referential_constraints role_column_grants role_routine_grants"
    " role_table_grants routine_privileges routines schemata sequences table_constraints table_privileges"
    " tables triggered_update_columns triggers view_column_usage view_routine_usage view_table_usage views"
)
"""The views of information_schema that would show something of the stand-in's."""
INFORMATION_FUNCTIONS = _names("_pg_index_position _pg_truetypid _pg_truetypmod")
"""Some tools call these, which the views of information_schema use."""

_RELATIONS = TABLES | VIEWS
_NAMES = re.compile(rf"\b(?:information_schema|{'|'.join(sorted(_RELATIONS | FUNCTIONS))})\b")
_DDL = frozenset({"ALTER", "COMMENT", "CREATE", "DROP", "GRANT", "REVOKE", "SECURITY"})
_SYSTEM_COLUMNS = frozenset({"TABLEOID", "CTID", "XMIN", "CMIN", "XMAX", "CMAX"})
_BEFORE_A_TABLE = frozenset({"FROM", "JOIN", "TABLE", "USING"})
_BETWEEN = frozenset({"ONLY", "LATERAL"})
_AFTER_FROM = _names(
    "WHERE GROUP HAVING WINDOW ORDER LIMIT OFFSET FETCH FOR UNION INTERSECT EXCEPT SELECT SET VALUES"
    " RETURNING"
)
"""Words that end the list of tables after FROM."""


def names_catalogue(folded: str) -> bool:
    """Whether a text in lower case may name something that is replaced here."""
    if "pg_" in folded or "information_schema" in folded or "_description" in folded:
        return _NAMES.search(folded) is not None
    return False


def replace_catalogue(statement: Statement) -> str:
    """The statement with the stand-in's catalogues. DDL stays, so that a view never depends on them.

    Only the query of CREATE TABLE … AS is changed, too: nothing depends on it.
    """
    if statement[0].word in _DDL and not _is_query(statement):
        return statement.edited([])
    has_system_columns = any(token.word in _SYSTEM_COLUMNS for token in statement.tokens)
    edits = [*_qualified(statement, has_system_columns), *_unqualified(statement, has_system_columns)]
    return statement.edited(edits)


def _is_query(statement: Statement) -> bool:
    return statement.at(0, "CREATE", "TABLE") and statement.find("AS", depth=0) is not None


def _qualified(statement: Statement, has_system_columns: bool) -> Iterator[Edit]:
    """The edits for names with their schema, in any place: the schema is replaced."""
    for i, token in enumerate(statement.tokens):
        if not statement.at(i + 1, ".") or statement.at(i - 1, ".") or _is_no_source(statement, i):
            continue
        name = statement[i + 2].folded
        schema = ""
        if token.folded == "pg_catalog" and _is_replaced(statement, i + 2):
            schema = _schema(name, has_system_columns)
        elif token.folded == "information_schema" and _is_information(statement, i + 2):
            schema = "hotrow_information"
        if schema and token.is_name:
            yield token.start, token.end, schema


def _is_no_source(statement: Statement, index: int) -> bool:
    """Whether a name is that of a type, or of a table that is written."""
    before = statement[index - 1]
    is_type = before.text == "::"
    return is_type or before.word in {"UPDATE", "INTO"} or statement.at(index - 2, "DELETE", "FROM")


def _unqualified(statement: Statement, has_system_columns: bool) -> Iterator[Edit]:
    """The edits for names without a schema: functions, and relations where a table stands."""
    tables = set(_tables(statement))
    for i, token in enumerate(statement.tokens):
        if not token.is_name or statement.at(i - 1, ".") or not _is_replaced(statement, i):
            continue
        if token.folded in FUNCTIONS or (i in tables and not _is_query_name(statement, token.folded)):
            yield token.start, token.start, f"{_schema(token.folded, has_system_columns)}."


def _is_replaced(statement: Statement, index: int) -> bool:
    """Whether this is the name of a catalogue, or the name of a function in a call."""
    name = statement[index].folded
    return name in FUNCTIONS if statement.at(index + 1, "(") else name in _RELATIONS


def _is_information(statement: Statement, index: int) -> bool:
    return statement[index].folded in (INFORMATION_FUNCTIONS if statement.at(index + 1, "(") else INFORMATION)


def _schema(name: str, has_system_columns: bool) -> str:
    return "hotrow_catalog_rows" if has_system_columns and name in TABLES else "hotrow_catalog"


def _is_query_name(statement: Statement, name: str) -> bool:
    """Whether a WITH query has this name."""
    return any(
        token.folded == name and (statement.at(i + 1, "AS", "(") or statement.at(i + 1, "AS", "MATERIALIZED"))
        for i, token in enumerate(statement.tokens)
        if token.is_name
    )


def _tables(statement: Statement) -> Iterator[int]:
    """The tokens with which an element of FROM begins: the places where a table's name stands."""
    lists: dict[int, bool] = {}
    """For each depth, whether a comma leads to another table."""
    expected = False
    for i, token in enumerate(statement.tokens):
        if expected and token.word == "(":
            lists[token.depth + 1] = True
            continue
        if expected and token.word in _BETWEEN:
            continue
        if token.word == "(":
            lists[token.depth + 1] = False
        if token.word in _AFTER_FROM:
            lists[token.depth] = False
        if expected and token.is_name and not statement.at(i + 1, "."):
            yield i
        expected = _leads_to_table(statement, i, in_list=lists.get(token.depth, False))
        if expected:
            lists[token.depth] = True


def _leads_to_table(statement: Statement, index: int, *, in_list: bool) -> bool:
    word = statement[index].word
    if word == "FROM":
        return statement[index - 1].word not in {"DISTINCT", "DELETE"}  # IS DISTINCT FROM
    return word in _BEFORE_A_TABLE or (word == "," and in_list)
