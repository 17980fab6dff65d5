"""DDL of a table that is a view here: it goes to the base table, and the command tag stays right."""

from __future__ import annotations

from hotrow.standin.rewriting.sql_text import Edit, Refusal, Statement, literal, suffixed

_BASE = "__base"


def replace_ddl(statement: Statement, *, rules: bool) -> str | None:
    """The text of a table's DDL, of TRUNCATE or of COPY … TO for the stand-in; None where it is none.

    `rules` false: TRUNCATE and CREATE INDEX without ASYNC are taken too.

    Raises:
        Refusal: ALTER TABLE ASYNC, which there is not, and LOCK.
    """
    if statement.at(0, "LOCK"):
        raise Refusal("unsupported statement: LOCK")
    if statement.at(0, "COPY"):
        return _copy(statement)
    if index := index_at(statement):
        return _index(statement, index, rules=rules)
    edits = _edits(statement)
    return statement.edited(edits) if edits else None


def index_at(statement: Statement) -> int:
    """The index of the token after CREATE [UNIQUE] INDEX, else 0."""
    index = statement.after(1, "UNIQUE")
    return index + 1 if statement.at(0, "CREATE") and statement.at(index, "INDEX") else 0


def table_at(statement: Statement) -> int:
    """The index of the name in CREATE TABLE [IF NOT EXISTS], else 0."""
    index = statement.after_any(1, "UNLOGGED") if statement.at(0, "CREATE") else 0
    return statement.after(index + 1, "IF", "NOT", "EXISTS") if statement.at(index, "TABLE") else 0


def _edits(statement: Statement) -> list[Edit]:
    if statement.at(0, "DROP", "TABLE"):
        return _names(statement, statement.after(2, "IF", "EXISTS"))
    if statement.at(0, "TRUNCATE"):
        return _names(statement, statement.after(1, "TABLE"))
    if statement.at(0, "ALTER", "TABLE"):
        return _alter(statement)
    if statement.at(0, "COMMENT", "ON", "TABLE"):
        return _to_base(statement, 3)
    if name := table_at(statement):
        return _create(statement, name)
    return []


def _to_base(statement: Statement, index: int) -> list[Edit]:
    """The edit that names the base table where a table's name stands here."""
    end = statement.name_end(index)
    if end == index:
        return []
    name = statement.source(index, end)
    return [(statement[index].start, statement[end - 1].end, suffixed(name, _BASE))]


def _names(statement: Statement, index: int) -> list[Edit]:
    """The edits of a list of tables."""
    edits = _to_base(statement, statement.after(index, "ONLY"))
    for i in range(index, len(statement.tokens)):
        if statement.at(i, ","):
            edits += _to_base(statement, statement.after(i + 1, "ONLY"))
    return edits


def _alter(statement: Statement) -> list[Edit]:
    if statement.at(2, "ASYNC"):
        raise Refusal("unsupported statement: ALTER TABLE ASYNC")
    name = statement.after(statement.after(2, "IF", "EXISTS"), "ONLY")
    renamed = statement.find("RENAME", "TO", start=name, depth=0)
    edits = _to_base(statement, name) + _references(statement, own=None)
    return edits if renamed is None else edits + _to_base(statement, renamed + 2)


def _create(statement: Statement, name: int) -> list[Edit]:
    own = [token.folded for token in statement.tokens[name : statement.name_end(name)]]
    likes = [i + 1 for i in range(len(statement.tokens)) if _copies_columns(statement, i)]
    return _references(statement, own) + [edit for i in likes for edit in _to_base(statement, i)]


def _copies_columns(statement: Statement, index: int) -> bool:
    """Whether a LIKE is an element of CREATE TABLE rather than an operator."""
    is_element = statement[index - 1].word in {"(", ","} and statement[index].depth == 1
    return statement.at(index, "LIKE") and is_element


def _references(statement: Statement, own: list[str] | None) -> list[Edit]:
    """The edits of the tables that foreign keys refer to; a table being created is not a view yet."""
    edits: list[Edit] = []
    for i in range(len(statement.tokens)):
        if statement.at(i, "REFERENCES"):
            name = statement.tokens[i + 1 : statement.name_end(i + 1)]
            if own is None or not _same_table([token.folded for token in name], own):
                edits += _to_base(statement, i + 1)
    return edits


def _same_table(name: list[str], other: list[str]) -> bool:
    """Whether two names mean one table: a schema counts where both have one."""
    shared = min(len(name), len(other))
    return name[-shared:] == other[-shared:]


def _index(statement: Statement, index: int, *, rules: bool) -> str | None:
    """CREATE INDEX on the base table, as a job where it is ASYNC."""
    on = statement.find("ON", start=index, depth=0)
    later = statement.at(index, "ASYNC")
    if on is None or (rules and not later):
        return None
    mode = statement.after_any(index, "ASYNC", "CONCURRENTLY")
    dropped = [(statement[index].start, statement[mode].start, "")] if mode > index else []
    table = statement.after(on + 1, "ONLY")
    text = statement.edited([*dropped, *_to_base(statement, table)])
    return f"SELECT hotrow.create_index({literal(text)}) AS job_id" if later else text


def _copy(statement: Statement) -> str | None:
    """COPY … TO of a view, which PostgreSQL has of a query only."""
    end = statement.name_end(1)
    to = statement.close(end) + 1 if statement.at(end, "(") else end
    if end == 1 or not statement.at(to, "TO"):
        return None
    columns = statement.source(end + 1, to - 1) or "*"
    query = f"(SELECT {columns} FROM {statement.source(1, end)})"  # noqa: S608 - the client's own text
    return statement.edited([(statement[1].start, statement[to - 1].end, query)])
