"""Rewrites table DDL so that it changes the base table behind a view. The command tag stays the same."""

from __future__ import annotations

from hotrow.standin.rewriting.long_names import LONG_NAMES, stem
from hotrow.standin.rewriting.sql_text import Edit, Refusal, Statement, literal, suffixed

_BASE = "__base"


def replace_ddl(statement: Statement, *, rules: bool) -> str | None:
    """The text for the stand-in of table DDL, TRUNCATE or COPY … TO; None for other statements.

    If `rules` is false, TRUNCATE and CREATE INDEX without ASYNC are accepted, too.

    Raises:
        Refusal: LOCK, or ALTER TABLE ASYNC of anything but VALIDATE CONSTRAINT.
    """
    if statement.at(0, "LOCK"):
        raise Refusal("unsupported statement: Lock")
    if statement.at(0, "COPY"):
        return _copy(statement)
    if index := index_at(statement):
        return _index(statement, index, rules=rules)
    if statement.at(0, "ALTER", "TABLE", "ASYNC"):
        return _validate(statement)
    edits = _edits(statement)
    return statement.edited(edits) if edits else None


def index_at(statement: Statement) -> int:
    """The index of the token after CREATE [UNIQUE] INDEX; 0 for other statements."""
    index = statement.after(1, "UNIQUE")
    return index + 1 if statement.at(0, "CREATE") and statement.at(index, "INDEX") else 0


def table_at(statement: Statement) -> int:
    """The index of the name in CREATE TABLE [IF NOT EXISTS]; 0 for other statements."""
    index = statement.after_any(1, "UNLOGGED") if statement.at(0, "CREATE") else 0
    return statement.after(index + 1, "IF", "NOT", "EXISTS") if statement.at(index, "TABLE") else 0


def _edits(statement: Statement) -> list[Edit]:
    if statement.at(0, "DROP", "TABLE"):
        return _names(statement, statement.after(2, "IF", "EXISTS"))
    if statement.at(0, "TRUNCATE"):
        return _names(statement, statement.after(1, "TABLE"))
    if statement.at(0, "ALTER", "TABLE"):
        return _alter(statement)
    if statement.at(0, "COMMENT", "ON"):
        return _comment(statement)
    if name := table_at(statement):
        return _create(statement, name)
    return []


def _comment(statement: Statement) -> list[Edit]:
    if statement.at(2, "TABLE"):
        return _to_base(statement, 3)
    is_table_constraint = statement.at(2, "CONSTRAINT") and not statement.at(5, "DOMAIN")
    return _to_base(statement, 5) if is_table_constraint else []


def _to_base(statement: Statement, index: int) -> list[Edit]:
    """The edit that replaces a table's name at this index by its base table; empty if there is no name."""
    end = statement.name_end(index)
    if end == index:
        return []
    name = statement.source(index, end)
    return [(statement[index].start, statement[end - 1].end, suffixed(name, _BASE))]


def _names(statement: Statement, index: int) -> list[Edit]:
    """The edits for a list of tables."""
    edits = _to_base(statement, statement.after(index, "ONLY"))
    for i in range(index, len(statement.tokens)):
        if statement.at(i, ","):
            edits += _to_base(statement, statement.after(i + 1, "ONLY"))
    return edits


def altered_at(statement: Statement) -> int:
    """The index of the table's name in ALTER TABLE [ASYNC]."""
    start = statement.after(2, "ASYNC")
    return statement.after(statement.after(start, "IF", "EXISTS"), "ONLY")


def _validate(statement: Statement) -> str:
    """ALTER TABLE ASYNC … VALIDATE CONSTRAINT on the base table, as a job."""
    name = altered_at(statement)
    end = statement.name_end(name)
    action = end + statement.at(end, "*")
    if not statement.at(action, "VALIDATE", "CONSTRAINT"):
        raise Refusal("unsupported ALTER TABLE ASYNC statement")
    keyword = (statement[2].start, statement[3].start, "")
    text = statement.edited([keyword, *_to_base(statement, name)])
    table = suffixed(statement.source(name, end), _BASE)
    constraint = literal(statement[action + 2].folded)
    return f"SELECT hotrow.validate_constraint({literal(text)}, {literal(table)}, {constraint}) AS job_id"


def _alter(statement: Statement) -> list[Edit]:
    name = altered_at(statement)
    renamed = statement.find("RENAME", "TO", start=name, depth=0)
    edits = _to_base(statement, name) + _references(statement, created=None)
    return (
        edits
        if renamed is None
        else edits + _to_base(statement, renamed + 2) + _long_name(statement, renamed + 2)
    )


def _long_name(statement: Statement, index: int) -> list[Edit]:
    """The edit that adds a comment with a table's new name if the base table's name does not show it."""
    name = LONG_NAMES.get(stem(statement[statement.name_end(index) - 1].folded), "")
    comment = f" /*hotrow:{name.encode().hex()}*/"
    return [(statement.end, statement.end, comment)] if name else []


def _create(statement: Statement, name: int) -> list[Edit]:
    created = [token.folded for token in statement.tokens[name : statement.name_end(name)]]
    likes = [i + 1 for i in range(len(statement.tokens)) if _copies_columns(statement, i)]
    stem("".join(created[-1:]))  # from now on, errors show the whole name
    return _references(statement, created) + [edit for i in likes for edit in _to_base(statement, i)]


def _copies_columns(statement: Statement, index: int) -> bool:
    """Whether a LIKE is an element of CREATE TABLE and not an operator."""
    is_element = statement[index - 1].word in {"(", ","} and statement[index].depth == 1
    return statement.at(index, "LIKE") and is_element


def _references(statement: Statement, created: list[str] | None) -> list[Edit]:
    """The edits for the tables that foreign keys refer to.

    The table that is being created is not a view yet.
    """
    edits: list[Edit] = []
    for i in range(len(statement.tokens)):
        if statement.at(i, "REFERENCES"):
            name = statement.tokens[i + 1 : statement.name_end(i + 1)]
            if created is None or not _same_table([token.folded for token in name], created):
                edits += _to_base(statement, i + 1)
    return edits


def _same_table(name: list[str], other: list[str]) -> bool:
    """Whether two names mean the same table. Schemas are compared if both names have one."""
    shared = min(len(name), len(other))
    return name[-shared:] == other[-shared:]


def _index(statement: Statement, index: int, *, rules: bool) -> str | None:
    """CREATE INDEX on the base table; a job if it is ASYNC."""
    on = statement.find("ON", start=index, depth=0)
    is_async = statement.at(index, "ASYNC")
    if on is None or (rules and not is_async):
        return None
    mode = statement.after_any(index, "ASYNC", "CONCURRENTLY")
    dropped_words = [(statement[index].start, statement[mode].start, "")] if mode > index else []
    table = statement.after(on + 1, "ONLY")
    text = statement.edited([*dropped_words, *_to_base(statement, table)])
    return f"SELECT hotrow.create_index({literal(text)}) AS job_id" if is_async else text


def _copy(statement: Statement) -> str | None:
    """COPY … TO of a view, as COPY of a query: PostgreSQL cannot copy from a view."""
    end = statement.name_end(1)
    to = statement.close(end) + 1 if statement.at(end, "(") else end
    if end == 1 or not statement.at(to, "TO"):
        return None
    columns = statement.source(end + 1, to - 1) or "*"
    query = f"(SELECT {columns} FROM {statement.source(1, end)})"  # noqa: S608 - the client's own text
    return statement.edited([(statement[1].start, statement[to - 1].end, query)])
