"""Refuses the forms of CREATE that Aurora DSQL does not have, and sequences with a CACHE that it refuses."""

from __future__ import annotations

from hotrow.standin.rewriting.columns import (
    Column,
    check_type,
    elements,
    is_table_constraint,
    read_column,
    type_name,
)
from hotrow.standin.rewriting.sql_text import Refusal, Statement
from hotrow.standin.rewriting.table_ddl import index_at, table_at

_MIN_LARGE_CACHE = 65_536
_CACHE = f"CACHE greater than or equal to {_MIN_LARGE_CACHE} or equal to 1"
_MAX_INDEX_COLUMNS = 8
_DATA = "22023"
_CLAUSES = ("INHERITS", "WITH", "USING", "ON COMMIT", "TABLESPACE")
"""Clauses after the list of CREATE TABLE."""


def check_create(statement: Statement) -> None:
    """Check a CREATE, or an ALTER SEQUENCE.

    Raises:
        Refusal: Aurora DSQL does not accept it.
    """
    object_type = statement.after(1, "OR", "REPLACE")
    if statement.at(object_type, "FUNCTION"):
        _check_language(statement)
    elif statement.at(1, "SEQUENCE"):
        _check_sequence(statement)
    elif statement.at(1, "TYPE"):
        _check_type_statement(statement)
    elif index := index_at(statement):
        _check_index(statement, index)
    elif name := table_at(statement):
        _check_table(statement, name)


def _check_language(statement: Statement) -> None:
    language = statement.find("LANGUAGE", depth=0)
    if language is not None and statement[language + 1].folded.lower() != "sql":
        name = statement[language + 1].folded.lower()
        raise Refusal(f"CREATE FUNCTION with language {name} not supported")


def _check_type_statement(statement: Statement) -> None:
    definition = statement.name_end(2)
    if statement.at(definition, "AS", "("):
        raise Refusal("unsupported statement: CompositeType")
    if statement.at(definition, "AS", "RANGE"):
        raise Refusal("unsupported statement: CreateRange")
    raise Refusal("CREATE TYPE not supported")


# Sequences and identity columns


def _check_sequence(statement: Statement) -> None:
    end = len(statement.tokens)
    as_type = statement.find("AS", depth=0)
    if as_type is not None and type_name(statement, Column(as_type + 1, as_type + 2, end)) != "bigint":
        raise Refusal("sequence type must be bigint", sqlstate=_DATA)
    has_cache = check_cache(statement, 1, end)
    if not has_cache and statement.at(0, "CREATE"):
        text = f"CREATE SEQUENCE is not supported without an explicit cache size. please define {_CACHE}"
        raise Refusal(text)


def check_cache(statement: Statement, start: int, end: int) -> bool:
    """Check the CACHE in a range of tokens; whether there is one.

    Raises:
        Refusal: Aurora DSQL does not accept this size.
    """
    for i in range(start, end):
        size = statement[i + 1].text
        if statement.at(i, "CACHE") and size.isdigit():
            if size != "1" and int(size) < _MIN_LARGE_CACHE:
                at_least = f"greater than or equal to {_MIN_LARGE_CACHE} or equal to 1"
                raise Refusal(f"CACHE ({size}) must be {at_least}", sqlstate=_DATA)
            return True
    return False


def check_identity(statement: Statement, start: int, end: int) -> bool:
    """Check the options of an identity column in a range of tokens; whether there is one.

    Raises:
        Refusal: it has no CACHE, or one that Aurora DSQL does not accept.
    """
    for i in range(start, end):
        if statement.at(i, "AS", "IDENTITY"):
            options_end = statement.close(i + 2) if statement.at(i + 2, "(") else i + 2
            if not check_cache(statement, i + 2, options_end):
                text = "identity column is not supported without an explicit cache size. please define"
                raise Refusal(f"{text} {_CACHE}")
            return True
    return False


# Indexes


def _check_index(statement: Statement, index: int) -> None:
    if statement.at(index, "CONCURRENTLY"):
        raise Refusal("CONCURRENTLY not supported for CREATE INDEX", hint="Use CREATE INDEX ASYNC.")
    if statement.find("USING", start=index, depth=0) is not None:
        raise Refusal("USING not supported for CREATE INDEX")
    if not statement.at(index, "ASYNC"):
        raise Refusal("unsupported mode. please use CREATE INDEX ASYNC.")
    on = statement.find("ON", start=index, depth=0)
    if on is None:
        return
    name = statement.after(index + 1, "IF", "NOT", "EXISTS")
    if name < on and statement.at(name + 1, "."):
        raise Refusal('syntax error at or near "."', sqlstate="42601")
    _check_keys(statement, statement.name_end(statement.after(on + 1, "ONLY")))


def _check_keys(statement: Statement, opening: int) -> None:
    if not statement.at(opening, "("):
        return
    keys = list(statement.items(opening + 1, statement.close(opening)))
    depth = statement[opening].depth + 1
    for start, end in keys:
        words = {token.word for token in statement.tokens[start + 1 : end] if token.depth == depth}
        if words & {"ASC", "DESC"}:
            raise Refusal("specifying sort order not supported for index keys")
    if len(keys) > _MAX_INDEX_COLUMNS:
        text = f"more than {_MAX_INDEX_COLUMNS} column keys in an index are not supported"
        raise Refusal(text, sqlstate="54011")


# Tables


def _check_table(statement: Statement, name: int) -> None:
    after_name = statement.name_end(name)
    listed = statement.at(after_name, "(")
    tail = statement.close(after_name) + 1 if listed else after_name
    _check_clauses(statement, after_name, tail)
    for start, end in elements(statement, name):
        _check_element(statement, start, end)


def _check_clauses(statement: Statement, after_name: int, tail: int) -> None:
    if statement.at(after_name, "PARTITION", "OF"):
        raise Refusal("PARTITION OF clause not supported for CREATE TABLE")
    if statement.at(after_name, "OF"):
        raise Refusal("OF clause not supported for CREATE TABLE")
    if statement.find("PARTITION", "BY", start=tail, depth=0) is not None:
        raise Refusal("PARTITION BY clause not supported for CREATE TABLE")
    if statement.find("AS", start=tail, depth=0) is not None:
        raise Refusal("unsupported statement: CreateTableAs")
    for clause in _CLAUSES:
        if statement.find(*clause.split(), start=tail, depth=0) is not None:
            raise Refusal(f"{clause} clause not supported for CREATE TABLE")


def _check_element(statement: Statement, start: int, end: int) -> None:
    words = [token.word for token in statement.tokens[start:end] if token.depth == statement[start].depth]
    if is_table_constraint(statement, start):
        if "EXCLUDE" in words:
            raise Refusal("EXCLUSION constraint not supported")
    else:
        _check_column(statement, read_column(statement, start, end))
    if "COLLATE" in words:
        raise Refusal("COLLATE clause not supported")
    if "COMPRESSION" in words[2:]:
        raise Refusal("COMPRESSION clause not supported")
    deferrable = "DEFERRABLE" in words and words[words.index("DEFERRABLE") - 1] != "NOT"
    if deferrable and not {"REFERENCES", "FOREIGN", "CHECK"} & set(words):
        raise Refusal("DEFERRABLE constraint not supported")


def _check_column(statement: Statement, column: Column) -> None:
    is_identity = check_identity(statement, column.type_end, column.end)
    check_type(statement, column)
    name = type_name(statement, column)
    if is_identity and name != "bigint":
        raise Refusal(f"datatype {name} not supported, identity column type must be bigint")
