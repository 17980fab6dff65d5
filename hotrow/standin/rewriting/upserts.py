"""INSERT … ON CONFLICT, which a view cannot have: as an insert of what is new, or as a MERGE.

Two views beside each table make it possible: `account__excluded`, whose INSERT writes nothing and returns the
rows as they would be inserted, and `account__or_nothing`, whose INSERT skips what a unique index has already.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.rewriting.sql_text import Refusal, Statement, literal, splice, suffixed, unqualified

_LEADS = ("INSERT", "WITH", "EXPLAIN", "PREPARE")


@dataclass(frozen=True, slots=True)
class _Upsert:
    """The parts of an INSERT … ON CONFLICT, as indexes of tokens."""

    statement: Statement
    insert: int
    table_end: int
    """After the table's name, which starts two tokens after `insert`."""
    body: int
    """After the alias: columns, OVERRIDING and the rows, up to `conflict`."""
    conflict: int
    action: int
    """DO."""
    returning: int
    """RETURNING, or after the last token."""

    @property
    def table(self) -> str:
        """The table's name as written."""
        return self.statement.source(self.insert + 2, self.table_end)

    @property
    def alias(self) -> str:
        """The name by which the statement knows the table."""
        return self.statement[self.body - 1].text

    @property
    def relation(self) -> str:
        """The table with its alias, if it has one."""
        return self.statement.source(self.insert + 2, self.body)

    @property
    def rows(self) -> str:
        """The columns and the rows."""
        return self.statement.source(self.body, self.conflict)

    @property
    def one_row(self) -> bool:
        """Whether the text says that there is one row: VALUES of one, or DEFAULT VALUES."""
        statement, end = self.statement, self.conflict
        values = statement.find("VALUES", start=self.body, depth=0)
        if values is None or values > end:
            return False
        return values + 1 == end or statement.close(values + 1) + 1 == end

    @property
    def returned(self) -> str:
        """RETURNING and its list, without schemas before the table's name."""
        statement, start, end = self.statement, self.returning, len(self.statement.tokens)
        if start == end:
            return ""
        base = statement[start].start
        name = statement.tokens[self.insert + 2 : self.table_end]
        edits = [(i - base, j - base, new) for i, j, new in unqualified(statement, start, end, name)]
        return " " + splice(statement.source(start, end), edits)

    @property
    def target(self) -> list[str]:
        """The columns of the conflict target as written; empty where there is none.

        Raises:
            Refusal: it is anything but plain columns.
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
    """The text of an INSERT … ON CONFLICT for the stand-in; None where the statement is none.

    The command tag, RETURNING and the types of parameters stay.

    Raises:
        Refusal: ON CONFLICT within a WITH query, or a conflict target that is not of plain columns.
    """
    found = [i for i in range(len(statement.tokens)) if statement.at(i, "ON", "CONFLICT")]
    if any(_in_query(statement, i) for i in found):
        raise Refusal("the stand-in takes INSERT … ON CONFLICT as a statement of its own only")
    upsert = _read(statement, found[-1]) if found and statement[0].word in _LEADS else None
    return None if upsert is None else _rewritten(upsert)


def _in_query(statement: Statement, index: int) -> bool:
    """Whether ON CONFLICT stands in parentheses that hold an INSERT."""
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


def _rewritten(upsert: _Upsert) -> str | None:
    statement, target = upsert.statement, upsert.target
    head = statement.text[statement.start : statement[upsert.insert].start]
    if statement.at(upsert.action + 1, "UPDATE", "SET"):
        # without a target PostgreSQL has its own error
        return head + _with(upsert) + _merged(upsert, target) if target else None
    if not statement.at(upsert.action + 1, "NOTHING"):
        return None
    return head + (_with(upsert) + _unseen(upsert, target) if target else _or_nothing(upsert))


def _or_nothing(upsert: _Upsert) -> str:
    view = suffixed(upsert.table, "__or_nothing")
    return f"INSERT INTO {view} AS {upsert.alias} {upsert.rows}{upsert.returned}"


def _with(upsert: _Upsert) -> str:
    """The rows as they would be inserted, as one more WITH query."""
    before = upsert.statement.find("WITH", depth=0)
    lead = "WITH" if before is None or before > upsert.insert else ","
    view = suffixed(upsert.table, "__excluded")
    return f"{lead} excluded AS MATERIALIZED (INSERT INTO {view} {upsert.rows} RETURNING *)"


def _same_key(upsert: _Upsert, alias: str, target: list[str]) -> str:
    """Whether a row has the proposed row's key; the database refuses a target that no unique index bears."""
    names = ", ".join(literal(_folded(column)) for column in target)
    key = f"hotrow.has_key({literal(suffixed(upsert.table, '__base'))}, {names})"
    return " AND ".join([key, *(f"{alias}.{column} = excluded.{column}" for column in target)])


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _unseen(upsert: _Upsert, target: list[str]) -> str:
    """The insert of what the table does not show: of several rows the first of each key, NULLs apart."""
    seen = f"SELECT FROM {upsert.table} AS __seen WHERE {_same_key(upsert, '__seen', target)}"
    # in a CASE it is asked row by row: as a join it would change their order
    unseen = f" FROM excluded WHERE CASE WHEN EXISTS ({seen}) THEN false ELSE true END"
    if upsert.one_row:
        return f" INSERT INTO {upsert.relation} SELECT excluded.*{unseen}{upsert.returned}"
    keys = _keys(target)
    key = f"{keys}, CASE WHEN ROW({keys}) IS NOT NULL THEN 0 ELSE row_number() OVER () END"
    rows = f"SELECT DISTINCT ON ({key}) excluded.*{unseen} ORDER BY {key}, row_number() OVER ()"
    return f" INSERT INTO {upsert.relation} {rows}{upsert.returned}"


def _once(upsert: _Upsert, target: list[str]) -> str:
    """One more WITH query, `__once`: several rows to merge, no two of them with one key, as in PostgreSQL."""
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


def _merged(upsert: _Upsert, target: list[str]) -> str:
    """The MERGE, and an insert of its rows that writes nothing: for RETURNING and the tag INSERT 0 n."""
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
