"""Rewrites INSERT … ON CONFLICT, which views do not support, to an INSERT of the new rows or to a MERGE.

Two views beside each table make it possible. An INSERT into `account__excluded` writes nothing and returns
the rows as they would be inserted. An INSERT into `account__or_nothing` skips rows whose values a unique
index has already.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.rewriting.sql_text import Refusal, Statement, literal, splice, suffixed, unqualified

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
    def target(self) -> list[str]:
        """The columns of the conflict target as they are written; empty if there is no target.

        Raises:
            Refusal: the target is anything except plain columns.
        """
        statement, start = self.statement, self.conflict + 2
        if start == self.action:
            return []
        close = statement.close(start)
        items = list(statement.items(start + 1, close))
        plain = all(j == i + 1 and statement[i].is_name for i, j in items)
        if not (statement.at(start, "(") and close + 1 == self.action and plain):
            raise Refusal("the stand-in takes the columns of a unique index as conflict target")
        return [statement[i].text for i, _ in items]


def replace_upsert(statement: Statement) -> str | None:
    """The text for the stand-in of an INSERT … ON CONFLICT; None for other statements.

    The command tag, RETURNING and the types of parameters stay the same.

    Raises:
        Refusal: ON CONFLICT in a WITH query, or a conflict target that is anything except plain columns.
    """
    conflicts = [i for i in range(len(statement.tokens)) if statement.at(i, "ON", "CONFLICT")]
    if any(_in_query(statement, i) for i in conflicts):
        raise Refusal("the stand-in takes INSERT … ON CONFLICT as a statement of its own only")
    upsert = _read(statement, conflicts[-1]) if conflicts and statement[0].word in _FIRST_WORDS else None
    return None if upsert is None else _rewrite(upsert)


def _in_query(statement: Statement, index: int) -> bool:
    """Whether ON CONFLICT is in parentheses that contain an INSERT."""
    depth = statement[index].depth
    opening = next((i for i in range(index, -1, -1) if statement[i].depth < depth), -1)
    return depth > 0 and statement[opening + 1].word in {"INSERT", "WITH"}


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


def _rewrite(upsert: _Upsert) -> str | None:
    statement, target = upsert.statement, upsert.target
    head = statement.text[statement.start : statement[upsert.insert].start]
    if statement.at(upsert.action + 1, "UPDATE", "SET"):
        # PostgreSQL has its own error if there is no target
        return head + _excluded_query(upsert) + _merge(upsert, target) if target else None
    if not statement.at(upsert.action + 1, "NOTHING"):
        return None
    return head + (_excluded_query(upsert) + _insert_new(upsert, target) if target else _or_nothing(upsert))


def _or_nothing(upsert: _Upsert) -> str:
    view = suffixed(upsert.table, "__or_nothing")
    return f"INSERT INTO {view} AS {upsert.alias} {upsert.rows}{upsert.returned}"


def _excluded_query(upsert: _Upsert) -> str:
    """One more WITH query, `excluded`: the rows as they would be inserted."""
    before = upsert.statement.find("WITH", depth=0)
    first_word = "WITH" if before is None or before > upsert.insert else ","
    view = suffixed(upsert.table, "__excluded")
    return f"{first_word} excluded AS MATERIALIZED (INSERT INTO {view} {upsert.rows} RETURNING *)"


def _same_key(upsert: _Upsert, alias: str, target: list[str]) -> str:
    """A condition: a row has the proposed row's key. The database refuses a target without a unique index."""
    names = ", ".join(literal(_folded(column)) for column in target)
    key = f"hotrow.has_key({literal(suffixed(upsert.table, '__base'))}, {names})"
    return " AND ".join([key, *(f"{alias}.{column} = excluded.{column}" for column in target)])


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _insert_new(upsert: _Upsert, target: list[str]) -> str:
    """An INSERT of the rows whose key is not in the table.

    Of several rows with one key, the first is inserted.

    Rows with a NULL in the key are all different.
    """
    seen = f"SELECT FROM {upsert.table} AS __seen WHERE {_same_key(upsert, '__seen', target)}"
    # a CASE is evaluated row by row; a join would change the order of the rows
    unseen = f" FROM excluded WHERE CASE WHEN EXISTS ({seen}) THEN false ELSE true END"
    if upsert.one_row:
        return f" INSERT INTO {upsert.relation} SELECT excluded.*{unseen}{upsert.returned}"
    keys = _keys(target)
    key = f"{keys}, CASE WHEN ROW({keys}) IS NOT NULL THEN 0 ELSE row_number() OVER () END"
    rows = f"SELECT DISTINCT ON ({key}) excluded.*{unseen} ORDER BY {key}, row_number() OVER ()"
    return f" INSERT INTO {upsert.relation} {rows}{upsert.returned}"


def _once(upsert: _Upsert, target: list[str]) -> str:
    """One more WITH query, `__once`: the rows to merge.

    As in PostgreSQL, no two of them may have the same key.
    """
    if upsert.one_row:
        return ""
    keys = _keys(target)
    refused = "hotrow.refuse('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time')"
    twice = f"FROM excluded GROUP BY {keys} HAVING count(*) > 1 AND ROW({keys}) IS NOT NULL LIMIT 1"
    # MATERIALIZED: as a subquery of MERGE the planner of PostgreSQL 18 fails at it (wrong varnullingrels)
    rows = f"SELECT excluded.* FROM excluded WHERE (SELECT {refused} {twice}) IS NULL"  # noqa: S608 - the same
    return f", __once AS MATERIALIZED ({rows})"


def _keys(target: list[str]) -> str:
    return ", ".join(f"excluded.{column}" for column in target)


def _merge(upsert: _Upsert, target: list[str]) -> str:
    """The MERGE, and an INSERT of its rows that writes nothing but gives RETURNING and the tag INSERT 0 n."""
    statement, alias = upsert.statement, upsert.alias
    where = statement.find("WHERE", start=upsert.action, depth=0)
    end = upsert.returning if where is None or where > upsert.returning else where
    condition = statement.source(end + 1, upsert.returning)
    matched = f"WHEN MATCHED AND ({condition}) THEN" if condition else "WHEN MATCHED THEN"
    otherwise = " WHEN MATCHED THEN DO NOTHING" if condition else ""
    proposed = "excluded" if upsert.one_row else "__once AS excluded"
    merge = (
        f"MERGE INTO {upsert.relation} USING {proposed} ON {_same_key(upsert, alias, target)}"
        f" {matched} {statement.source(upsert.action + 1, end)}{otherwise}"
        f" WHEN NOT MATCHED THEN INSERT VALUES (excluded.*) RETURNING {alias}.*"
    )
    view = suffixed(upsert.table, "__excluded")
    rows = f"INSERT INTO {view} AS {alias} SELECT __merged.* FROM __merged{upsert.returned}"  # noqa: S608 - the same
    return f"{_once(upsert, target)}, __merged AS ({merge}) {rows}"
