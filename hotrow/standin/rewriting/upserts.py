"""Rewrites INSERT … ON CONFLICT, which views do not support, to an INSERT of the new rows or to a MERGE.

Two views beside each table make it possible. An INSERT into `account__excluded` writes nothing and returns
the rows as they would be inserted. An INSERT into `account__or_nothing` skips rows whose values a unique
index has already. If the text does not name the columns of the conflict target, `account__same` compares two
rows by the index that the database finds for the target.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.rewriting.sql_text import (
    Edit,
    Refusal,
    Statement,
    literal,
    parse,
    splice,
    suffixed,
    unqualified,
)

_FIRST_WORDS = ("INSERT", "WITH", "EXPLAIN", "PREPARE")


@dataclass(frozen=True, slots=True)
class _Upsert:
    """An INSERT … ON CONFLICT: where its parts start, as indexes of tokens."""

    statement: Statement
    insert: int
    table_end: int
    """The token after the table's name, which starts two tokens after `insert`."""
    body: int
    """The token after the alias. Columns, OVERRIDING and the rows are between it and `conflict`."""
    conflict: int
    action: int
    """The token DO."""
    returning: int
    """The token RETURNING, or the number of tokens."""

    @property
    def table(self) -> str:
        """The table's name as it is written."""
        return self.statement.source(self.insert + 2, self.table_end)

    @property
    def alias(self) -> str:
        """The name that the statement uses for the table."""
        return self.statement[self.body - 1].text

    @property
    def relation(self) -> str:
        """The table's name with its alias, if it has one."""
        return self.statement.source(self.insert + 2, self.body)

    @property
    def rows(self) -> str:
        """The columns and the rows."""
        return self.statement.source(self.body, self.conflict)

    @property
    def one_row(self) -> bool:
        """Whether the text shows that there is one row: VALUES with one row, or DEFAULT VALUES."""
        statement, end = self.statement, self.conflict
        values = statement.find("VALUES", start=self.body, depth=0)
        if values is None or values > end:
            return False
        return values + 1 == end or statement.close(values + 1) + 1 == end

    @property
    def returned(self) -> str:
        """RETURNING and its list, without the schema before the table's name."""
        statement, start, end = self.statement, self.returning, len(self.statement.tokens)
        if start == end:
            return ""
        base = statement[start].start
        name = statement.tokens[self.insert + 2 : self.table_end]
        edits = [(i - base, j - base, new) for i, j, new in unqualified(statement, start, end, name)]
        return " " + splice(statement.source(start, end), edits)

    @property
    def has_target(self) -> bool:
        """Whether it has a conflict target."""
        return self.action > self.conflict + 2

    @property
    def columns(self) -> list[str]:
        """The columns of the conflict target as they are written.

        Empty if it is anything except plain columns.
        """
        statement, start = self.statement, self.conflict + 2
        close = statement.close(start)
        if not (statement.at(start, "(") and close + 1 == self.action):
            return []
        items = list(statement.items(start + 1, close))
        plain = all(j == i + 1 and statement[i].is_name for i, j in items)
        return [statement[i].text for i, _ in items] if plain else []

    @property
    def index(self) -> str:
        """An expression for the name of the index that the conflict target means.

        Raises:
            Refusal: the target has a collation or an operator class.
        """
        statement, start = self.statement, self.conflict + 2
        base, table, alias = map(literal, (suffixed(self.table, "__base"), self.table, self.alias))
        if statement.at(start, "ON", "CONSTRAINT"):
            return f"hotrow.constraint_index({base}, {literal(statement[start + 2].folded)})"
        close = statement.close(start)
        for i, j in statement.items(start + 1, close):
            has_class = statement[j - 1].is_name and j > i + 1 and statement[j - 2].word != "."
            if has_class or any(statement.at(k, "COLLATE") for k in range(i, j)):
                raise Refusal("the stand-in takes a conflict target without COLLATE and operator classes")
        has_where = statement.at(close + 1, "WHERE")
        condition = literal(statement.source(close + 2, self.action)) if has_where else "NULL"
        values = literal(statement.source(start + 1, close))
        return f"hotrow.inferred_index({base}, {table}, {alias}, {values}, {condition})"


def replace_upsert(statement: Statement) -> str | None:
    """The text for the stand-in of a statement with INSERT … ON CONFLICT; None for other statements.

    The command tag, RETURNING and the types of parameters stay the same.

    Raises:
        Refusal: a conflict target with a collation or an operator class.
    """
    conflicts = [i for i in range(len(statement.tokens)) if statement.at(i, "ON", "CONFLICT")]
    if not conflicts or statement[0].word not in _FIRST_WORDS:
        return None
    main = next((i for i in reversed(conflicts) if statement[i].depth == 0), None)
    upsert = None if main is None else _read(statement, main)
    end = len(statement.tokens) if upsert is None else upsert.insert
    edits: list[Edit] = []
    for number, conflict in enumerate((i for i in conflicts if i < end and statement[i].depth == 1), 1):
        edits += _replace_in_with(statement, conflict, number)
    if upsert is None or (pieces := _pieces(upsert)) is None:
        return statement.edited(edits) if edits else None
    queries, final = pieces
    start = statement[upsert.insert].start
    # the queries and the INSERT take the place of the client's INSERT, after its WITH queries
    before = statement.find("WITH", depth=0)
    first = "WITH " if before is None or before > upsert.insert else ", "
    return statement.edited(
        [*edits, (start, statement.end, f"{first}{', '.join(queries)} {final}" if queries else final)]
    )


def _replace_in_with(statement: Statement, conflict: int, number: int) -> list[Edit]:
    """Edits for an INSERT … ON CONFLICT that is a WITH query of the statement.

    More queries come before it, which its text may not contain: those that write belong at the top.
    """
    opening = next(i for i in range(conflict, -1, -1) if statement[i].depth == 0)
    close = statement.close(opening)
    name = _query_name(statement, opening)
    parts = parse(statement.source(opening + 1, close))
    upsert = (
        _read(parts[0], parts[0].find("ON", "CONFLICT", depth=0) or 0) if name and len(parts) == 1 else None
    )
    pieces = None if upsert is None else _pieces(upsert, str(number))
    if pieces is None or name is None:
        return []
    queries, final = pieces
    before = statement[name].start
    edits: list[Edit] = [(before, before, "".join(f"{query}, " for query in queries))]
    return [*edits, (statement[opening + 1].start, statement[close - 1].end, final)]


def _query_name(statement: Statement, opening: int) -> int | None:
    """The name of the WITH query whose text is in these parentheses: `name [(columns)] AS (`."""
    i = opening - 1
    i -= statement.at(i, "MATERIALIZED")
    i -= statement.at(i, "NOT")
    if not statement.at(i, "AS"):
        return None
    i -= 1
    if statement.at(i, ")"):
        i = next(k for k in range(i - 1, -1, -1) if statement[k].depth == 0 and statement.at(k, "(")) - 1
    return i if statement[i].is_name else None


def _read(statement: Statement, conflict: int) -> _Upsert | None:
    insert = statement.find("INSERT", "INTO", depth=0)
    action = statement.find("DO", start=conflict, depth=0)
    if insert is None or action is None or insert > conflict:
        return None
    table_end = statement.name_end(insert + 2)
    body = table_end + 2 if statement.at(table_end, "AS") else table_end
    returning = statement.find("RETURNING", start=action, depth=0)
    end = len(statement.tokens) if returning is None else returning
    return _Upsert(statement, insert, table_end, body, conflict, action, end)


def _pieces(upsert: _Upsert, number: str = "") -> tuple[list[str], str] | None:
    """WITH queries and an INSERT that do the same; None if PostgreSQL has its own answer.

    The number is part of the queries' names. They are `excluded` only in the statement itself.
    """
    statement = upsert.statement
    head = statement.text[statement.start : statement[upsert.insert].start] if number else ""
    names = _Names(f"__excluded{number}" if number else "excluded", number)
    if statement.at(upsert.action + 1, "UPDATE", "SET"):
        # PostgreSQL has its own error if there is no target
        return _merge(upsert, names, head) if upsert.has_target else None
    if not statement.at(upsert.action + 1, "NOTHING"):
        return None
    return _insert_new(upsert, names, head) if upsert.has_target else ([], head + _or_nothing(upsert))


def _or_nothing(upsert: _Upsert) -> str:
    view = suffixed(upsert.table, "__or_nothing")
    return f"INSERT INTO {view} AS {upsert.alias} {upsert.rows}{upsert.returned}"


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of the queries of one upsert."""

    excluded: str
    """The rows as they would be inserted."""
    number: str

    @property
    def aliased(self) -> str:
        """The proposed rows under the name that the client's text uses."""
        return "excluded" if self.excluded == "excluded" else f"{self.excluded} AS excluded"

    @property
    def numbered(self) -> str:
        """The proposed rows, each as one value, and their numbers."""
        return f"__numbered{self.number}"


def _excluded_query(upsert: _Upsert, names: _Names, head: str) -> str:
    view = suffixed(upsert.table, "__excluded")
    return f"{names.excluded} AS MATERIALIZED ({head}INSERT INTO {view} {upsert.rows} RETURNING *)"


def _numbered_queries(upsert: _Upsert, names: _Names, head: str) -> list[str]:
    """The proposed rows, each as one value of the view's type, with their numbers."""
    view = suffixed(upsert.table, "__excluded")
    rows = f"{view} AS __new {upsert.rows}"
    new = f"INSERT INTO {rows} RETURNING COALESCE(__new.*) AS __row"
    numbered = f"SELECT __row, row_number() OVER () AS __n FROM __new{names.number}"  # noqa: S608 - the same
    return [
        f"__new{names.number} AS MATERIALIZED ({head}{new})",
        f"{names.numbered} AS MATERIALIZED ({numbered})",
    ]


def _same(upsert: _Upsert, one: str, other: str) -> str:
    """A condition: two rows have the same value in the index of the conflict target."""
    return f"{suffixed(upsert.table, '__same')}({one}, {other}, {upsert.index})"


def _same_key(upsert: _Upsert, alias: str, only: str = "") -> str:
    """A condition: a row has the proposed row's key.

    The database refuses a target without a unique index. `only` is the query of the only proposed row, if
    there is one: its key is a constant for the planner, which then uses the index.
    """
    columns = upsert.columns
    if not columns:
        return _same(upsert, f"ROW({alias}.*)", "ROW(excluded.*)")
    names = ", ".join(literal(_folded(column)) for column in columns)
    key = f"hotrow.has_key({literal(suffixed(upsert.table, '__base'))}, {names})"
    value = f"(SELECT __k.{{}} FROM {only} AS __k)" if only else "excluded.{}"  # noqa: S608 - the same
    return " AND ".join([key, *(f"{alias}.{column} = {value.format(column)}" for column in columns)])


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _insert_new(upsert: _Upsert, names: _Names, head: str) -> tuple[list[str], str]:
    """An INSERT of the rows whose key is not in the table.

    Of several rows with one key, the first is inserted.

    Rows with a NULL in the key are all different.
    """
    if not (upsert.columns or upsert.one_row):
        return _insert_first(upsert, names, head)
    queries = [_excluded_query(upsert, names, head)]
    seen = f"SELECT FROM {upsert.table} AS __seen WHERE {_same_key(upsert, '__seen')}"
    # a CASE is evaluated row by row; a join would change the order of the rows
    unseen = f" FROM {names.aliased} WHERE CASE WHEN EXISTS ({seen}) THEN false ELSE true END"
    if upsert.one_row:
        return queries, f"INSERT INTO {upsert.relation} SELECT excluded.*{unseen}{upsert.returned}"
    keys = _keys(upsert.columns)
    key = f"{keys}, CASE WHEN ROW({keys}) IS NOT NULL THEN 0 ELSE row_number() OVER () END"
    rows = f"SELECT DISTINCT ON ({key}) excluded.*{unseen} ORDER BY {key}, row_number() OVER ()"
    return queries, f"INSERT INTO {upsert.relation} {rows}{upsert.returned}"


def _insert_first(upsert: _Upsert, names: _Names, head: str) -> tuple[list[str], str]:
    """The same for several rows, if the text does not name the columns of the key."""
    seen = f"SELECT FROM {upsert.table} AS __seen WHERE {_same(upsert, 'ROW(__seen.*)', '__it.__row')}"
    same = _same(upsert, "__f.__row", "__it.__row")
    earlier = f"SELECT FROM {names.numbered} AS __f WHERE __f.__n < __it.__n AND {same}"
    rows = (
        f"SELECT (__it.__row).* FROM {names.numbered} AS __it WHERE NOT EXISTS ({earlier})"  # noqa: S608 - the client's own text
        f" AND CASE WHEN EXISTS ({seen}) THEN false ELSE true END ORDER BY __it.__n"
    )
    return _numbered_queries(upsert, names, head), f"INSERT INTO {upsert.relation} {rows}{upsert.returned}"


def _proposed(upsert: _Upsert, names: _Names, head: str) -> tuple[list[str], str]:
    """Queries for the rows to merge, and the last one's name, as `excluded`.

    As in PostgreSQL, no two of them may have the same key.
    """
    if upsert.one_row:
        return [_excluded_query(upsert, names, head)], names.aliased
    refused = "hotrow.refuse('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time')"
    once = f"__once{names.number}"
    if columns := upsert.columns:
        queries, keys = [_excluded_query(upsert, names, head)], _keys(columns)
        twice = (
            f"FROM {names.aliased} GROUP BY {keys} HAVING count(*) > 1 AND ROW({keys}) IS NOT NULL LIMIT 1"
        )
        rows = f"SELECT excluded.* FROM {names.aliased}"  # noqa: S608 - the same
    else:
        queries = _numbered_queries(upsert, names, head)
        same = _same(upsert, "__f.__row", "__it.__row")
        pairs = f"{names.numbered} AS __f, {names.numbered} AS __it"
        twice = f"FROM {pairs} WHERE __f.__n < __it.__n AND {same} LIMIT 1"
        rows = f"SELECT (__it.__row).* FROM {names.numbered} AS __it"  # noqa: S608 - the same
    # MATERIALIZED: as a subquery of MERGE the planner of PostgreSQL 18 fails at it (wrong varnullingrels)
    queries.append(f"{once} AS MATERIALIZED ({rows} WHERE (SELECT {refused} {twice}) IS NULL)")
    return queries, f"{once} AS excluded"


def _keys(target: list[str]) -> str:
    return ", ".join(f"excluded.{column}" for column in target)


def _merge(upsert: _Upsert, names: _Names, head: str) -> tuple[list[str], str]:
    """The MERGE, and an INSERT of its rows that writes nothing but gives RETURNING and the tag INSERT 0 n."""
    statement, alias = upsert.statement, upsert.alias
    where = statement.find("WHERE", start=upsert.action, depth=0)
    end = upsert.returning if where is None or where > upsert.returning else where
    condition = statement.source(end + 1, upsert.returning)
    matched = f"WHEN MATCHED AND ({condition}) THEN" if condition else "WHEN MATCHED THEN"
    otherwise = " WHEN MATCHED THEN DO NOTHING" if condition else ""
    queries, proposed = _proposed(upsert, names, head)
    same = _same_key(upsert, alias, names.excluded if upsert.one_row else "")
    merge = (
        f"MERGE INTO {upsert.relation} USING {proposed} ON {same}"
        f" {matched} {statement.source(upsert.action + 1, end)}{otherwise}"
        f" WHEN NOT MATCHED THEN INSERT VALUES (excluded.*) RETURNING {alias}.*"
    )
    view, merged = suffixed(upsert.table, "__excluded"), f"__merged{names.number}"
    rows = f"INSERT INTO {view} AS {alias} SELECT {merged}.* FROM {merged}{upsert.returned}"  # noqa: S608 - the same
    return [*queries, f"{merged} AS ({merge})"], rows
