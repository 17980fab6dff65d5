"""An in-memory model of Aurora DSQL: snapshot isolation, with the DSQL conflict matrix applied at COMMIT.

Two tables refer to a third, so that every kind of conflict can happen on few rows:

    item (id PRIMARY KEY, code UNIQUE, v)
    part (id PRIMARY KEY, item REFERENCES item, v)                      -- NO ACTION
    note (id PRIMARY KEY, item REFERENCES item ON DELETE CASCADE, v)

A transaction works on a copy of what was committed at its BEGIN if that came alone, or else at its first
statement, and remembers how strongly it wrote each row. COMMIT fails if a transaction that has committed
since then wrote the same row, or the same value of a unique column, in a way that clashes (`clash` is the
matrix). The first committer wins.
"""

# ruff: noqa: S608 - names and numbers of our own

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from hotrow.standin.begin import with_snapshot

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

SCHEMA = (
    "CREATE TABLE item (id int PRIMARY KEY, code int UNIQUE, v int)",
    "CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item, v int)",
    "CREATE TABLE note (id int PRIMARY KEY, item int REFERENCES item ON DELETE CASCADE, v int)",
)
SCHEMA_WITHOUT_PRIMARY_KEYS = (
    "CREATE TABLE item (id int UNIQUE, code int UNIQUE, v int)",
    "CREATE TABLE part (id int UNIQUE, item int REFERENCES item (id), v int)",
    "CREATE TABLE note (id int UNIQUE, item int REFERENCES item (id) ON DELETE CASCADE, v int)",
)
"""The same tables with hidden keys: everything is answered as with the other ones."""
CHILDREN = ("part", "note")

Key = tuple[str, int]
"""What two transactions can collide on: a table's name and an id, or "code" and a code."""
Row = tuple[int | None, int]
"""The columns of a row without its id: code or item, and v."""


class Strength(IntEnum):
    """How strongly a transaction has written a row."""

    SHARE = 1
    """FOR KEY SHARE, or a new foreign key that refers to the row."""
    UPDATE = 2
    """UPDATE of columns that are not part of a key."""
    STRONG = 3
    """INSERT, DELETE, UPDATE of key columns, FOR UPDATE."""


def clash(one: Strength, other: Strength) -> bool:
    """Whether the second of two committers loses: yes, except SHARE with SHARE and SHARE with UPDATE."""
    return Strength.STRONG in {one, other} or Strength.SHARE not in {one, other}


class Refused(Exception):  # noqa: N818 - a SQLSTATE is what it is
    """An error of a statement; its text is the SQLSTATE."""


@dataclass
class Database:
    """The committed rows, the number of commits, and for each key the last commit of each strength."""

    rows: dict[Key, Row] = field(default_factory=dict)
    commits: int = 0
    written: dict[Key, dict[Strength, int]] = field(default_factory=dict)
    remembers_gone: bool = False
    """Whether an insert conflicts with a row of the same key that others inserted and deleted again since the
    snapshot. It does in Aurora DSQL. It does not in the stand-in, because PostgreSQL keeps no trace of it."""

    def conflicts(self, transaction: Transaction) -> bool:
        """Whether a commit since the transaction's snapshot clashes with what the transaction writes."""
        return any(
            clash(strength, other) and commit > transaction.snapshot
            for key, strength in transaction.writes().items()
            if self.remembers_gone or transaction.knew(key) or self.holds(key)
            for other, commit in self.written.get(key, {}).items()
        )

    def holds(self, key: Key) -> bool:
        """Whether the key exists among the committed rows."""
        return holds(self.rows, key)


def holds(rows: dict[Key, Row], key: Key) -> bool:
    """Whether `rows` has this row or, for a "code" key, an item with this code."""
    return key in rows or any(key == ("code", row[0]) for k, row in rows.items() if k[0] == "item")


class Transaction:
    """One transaction: its view of the database and what it has written."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.snapshot = database.commits
        self.before = dict(database.rows)
        self.rows = dict(database.rows)
        self.strengths: dict[Key, Strength] = {}
        self.failed = False

    def knew(self, key: Key) -> bool:
        """Whether the key exists in the snapshot."""
        return holds(self.before, key)

    def writes(self) -> dict[Key, Strength]:
        """The strength of each written key at COMMIT, without rows that it inserted and deleted again."""
        written = {
            key: strength
            for key, strength in self.strengths.items()
            if key in self.before or key in self.rows
        }
        for key in [key for key in written if key[0] == "item" and key in self.rows]:
            code = self.rows[key][0]
            former = self.before.get(key)
            if code is not None and (former is None or former[0] != code):
                written["code", code] = Strength.STRONG
        return written

    def commit(self) -> bool:
        """Commit if nothing conflicts; return whether it did."""
        database, writes = self.database, self.writes()
        if database.conflicts(self):
            return False
        database.commits += 1
        for key, strength in writes.items():
            database.written.setdefault(key, {})[strength] = database.commits
        for key in [
            key for key, strength in writes.items() if strength > Strength.SHARE and key[0] != "code"
        ]:
            if key in self.rows:
                database.rows[key] = self.rows[key]
            else:
                database.rows.pop(key)
        return True

    def note(self, key: Key, strength: Strength) -> None:
        """Record a write of this row; the greatest strength counts."""
        self.strengths[key] = max(strength, self.strengths.get(key, strength))

    def insert(self, table: str, rows: Iterable[tuple[int, int | None, int]]) -> str:
        """INSERT of rows (id, code or item, v)."""
        count = 0
        for number, other, v in rows:
            self._put_new((table, number), (other, v))
            count += 1
        return f"INSERT 0 {count}"

    def _put_new(self, key: Key, row: Row) -> None:
        if key in self.rows:
            raise Refused("23505")
        self._check(key, row)
        self.rows[key] = row
        self.note(key, Strength.STRONG)

    def _check(self, key: Key, row: Row) -> None:
        """Check the unique code and the foreign key; a reference to an item is a SHARE write of it."""
        table, value = key[0], row[0]
        if value is None:
            return
        if table == "item":
            if any(k[0] == "item" and k != key and r[0] == value for k, r in self.rows.items()):
                raise Refused("23505")
        elif ("item", value) not in self.rows:
            raise Refused("23503")
        else:
            self.note(("item", value), Strength.SHARE)

    def _found(self, table: str, ids: Iterable[int]) -> list[Key]:
        return [(table, number) for number in sorted(ids) if (table, number) in self.rows]

    def add(self, table: str, ids: tuple[int, ...], amount: int) -> str:
        """UPDATE that adds `amount` to v."""
        keys = self._found(table, ids)
        for key in keys:
            other, v = self.rows[key]
            self.rows[key] = (other, v + amount)
            self.note(key, Strength.UPDATE)
        return f"UPDATE {len(keys)}"

    def point(self, table: str, number: int, value: int | None) -> str:
        """UPDATE of an item's code, or of the item that a child refers to."""
        keys = self._found(table, (number,))
        for key in keys:
            other, v = self.rows[key]
            if value != other:
                self._check(key, (value, v))
            self.rows[key] = (value, v)
            self.note(key, Strength.STRONG if table == "item" and value != other else Strength.UPDATE)
        return f"UPDATE {len(keys)}"

    def move(self, number: int, to: int) -> str:
        """UPDATE of an item's id to `to`."""
        key, new = ("item", number), ("item", to)
        if key not in self.rows:
            return "UPDATE 0"
        if any(r[0] == number for k, r in self.rows.items() if k[0] != "item"):
            raise Refused("23503 or 23505" if new in self.rows else "23503")
        if new in self.rows:
            raise Refused("23505")
        self.rows[new] = self.rows.pop(key)
        self.note(key, Strength.STRONG)
        self.note(new, Strength.STRONG)
        return "UPDATE 1"

    def delete(self, table: str, ids: tuple[int, ...]) -> str:
        """DELETE; deleting an item also deletes its notes."""
        keys = self._found(table, ids)
        for key in keys:
            self._delete(key)
        return f"DELETE {len(keys)}"

    def _delete(self, key: Key) -> None:
        if key[0] == "item":
            children = [k for k, row in self.rows.items() if k[0] != "item" and row[0] == key[1]]
            if any(child[0] == "part" for child in children):
                raise Refused("23503")
            for child in children:
                self._delete(child)
        del self.rows[key]
        self.note(key, Strength.STRONG)

    def upsert(self, number: int, v: int, *, update: bool) -> str:
        """INSERT … ON CONFLICT (id) of an item without a code."""
        key = ("item", number)
        if key not in self.rows:
            return self.insert("item", [(number, None, v)])
        if not update:
            return "INSERT 0 0"
        self.rows[key] = (self.rows[key][0], v)
        self.note(key, Strength.UPDATE)
        return "INSERT 0 1"

    def read(self, table: str, ids: tuple[int, ...], strength: Strength | None) -> str:
        """SELECT of id, code or item, and v, with a row lock if a strength is set."""
        keys = self._found(table, ids)
        if strength is not None:
            for key in keys:
                self.note(key, strength)
        return "; ".join(f"{key[1]}, {self.rows[key][0]}, {self.rows[key][1]}" for key in keys)

    def read_join(
        self,
        table: str,
        ids: tuple[int, ...],
        strengths: tuple[Strength | None, Strength | None],
        *,
        one: bool,
    ) -> str:
        """SELECT of the ids of items and of children that refer to them, with a row lock for each side."""
        children = sorted(k[1] for k in self.rows if k[0] == table)
        pairs = [
            (item, (table, child))
            for item in self._found("item", ids)
            for child in children
            if self.rows[table, child][0] == item[1]
        ]
        pairs = pairs[:1] if one else pairs
        for pair in pairs:
            for key, strength in zip(pair, strengths, strict=True):
                if strength is not None:
                    self.note(key, strength)
        return "; ".join(f"{item[1]}, {child[1]}" for item, child in pairs)


@dataclass(frozen=True)
class Step:
    """A statement: its text, and the `Transaction` method that does the same."""

    sql: str
    method: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()


BEGIN = Step("BEGIN", "begin")
BEGIN_ALONE = Step(with_snapshot("BEGIN"), "begin_alone")
"""BEGIN as a message of its own, which takes the snapshot."""
COMMIT = Step("COMMIT", "commit")
ROLLBACK = Step("ROLLBACK", "rollback")


class Session:
    """One session of the model. Its answers use the notation of tests/support/interleaving.py."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.transaction: Transaction | None = None
        self.open = False

    def answer(self, step: Step) -> str:
        """The command tag, rows or SQLSTATE of a step."""
        if step.method == "begin":
            self.open, self.transaction = True, None
            return "BEGIN"
        if step.method == "begin_alone":
            self.open, self.transaction = True, Transaction(self.database)
            return "BEGIN"
        if step.method in {"commit", "rollback"}:
            return self._end(commit=step.method == "commit")
        if self.transaction is None or not self.open:
            self.transaction = Transaction(self.database)  # the snapshot comes with the first statement
        if self.transaction.failed:
            return "25P02"
        return self._run(step, self.transaction)

    def _run(self, step: Step, transaction: Transaction) -> str:
        try:
            answer = str(getattr(transaction, step.method)(*step.arguments, **dict(step.options)))
        except Refused as refused:
            transaction.failed = True
            return str(refused)
        return answer if self.open or transaction.commit() else "40001 OC000"

    def _end(self, *, commit: bool) -> str:
        transaction, self.transaction, self.open = self.transaction, None, False
        if not commit or (transaction is not None and transaction.failed):
            return "ROLLBACK"
        return "COMMIT" if transaction is None or transaction.commit() else "40001 OC000"


@dataclass(frozen=True)
class Draw:
    """Random choices from which a step is made: a table, two ids and a number."""

    random: random.Random
    table: str
    one: int
    two: int
    v: int

    @property
    def other(self) -> str:
        """The table's second column."""
        return "code" if self.table == "item" else "item"

    @property
    def some(self) -> tuple[int, ...]:
        """One id, or both."""
        return (self.one,) if self.v < 7 else tuple({self.one, self.two})

    @property
    def listed(self) -> str:
        """The ids of `some` in SQL."""
        return ", ".join(map(str, self.some))


def random_step(random: random.Random, ids: int) -> Step:
    """A random statement on rows with ids 1 to `ids`."""
    table = random.choice(("item", "item", *CHILDREN))
    draw = Draw(random, table, random.randint(1, ids), random.randint(1, ids), random.randint(0, 9))
    makers = (_insert, _upsert, _add, _point, _read, _read_join, _remove, _move)
    return random.choices(makers, (5, 2, 4, 2, 3, 3, 3, 2))[0](draw)


def _insert(draw: Draw) -> Step:
    value = draw.random.choice((draw.two, None)) if draw.table == "item" else draw.two
    listed = f"{draw.one}, {'NULL' if value is None else value}, {draw.v}"
    sql = f"INSERT INTO {draw.table} (id, {draw.other}, v) VALUES ({listed})"
    return Step(sql, "insert", (draw.table, [(draw.one, value, draw.v)]))


def _upsert(draw: Draw) -> Step:
    update = draw.random.random() < 0.5
    action = "UPDATE SET v = excluded.v" if update else "NOTHING"
    sql = f"INSERT INTO item (id, v) VALUES ({draw.one}, {draw.v}) ON CONFLICT (id) DO {action}"
    return Step(sql, "upsert", (draw.one, draw.v), (("update", update),))


def _add(draw: Draw) -> Step:
    sql = f"UPDATE {draw.table} SET v = v + {draw.v} WHERE id IN ({draw.listed})"
    return Step(sql, "add", (draw.table, draw.some, draw.v))


def _point(draw: Draw) -> Step:
    sql = f"UPDATE {draw.table} SET {draw.other} = {draw.two} WHERE id = {draw.one}"
    return Step(sql, "point", (draw.table, draw.one, draw.two))


def _read(draw: Draw) -> Step:
    clauses = (("", None), (" FOR UPDATE", Strength.STRONG), (" FOR KEY SHARE", Strength.SHARE))
    clause, strength = draw.random.choice(clauses)
    query = f"SELECT id, {draw.other}, v FROM {draw.table} WHERE id IN ({draw.listed}) ORDER BY id{clause}"
    return Step(query, "read", (draw.table, draw.some, strength))


def _read_join(draw: Draw) -> Step:
    table = draw.random.choice(CHILDREN)
    chosen = [draw.random.choice((Strength.STRONG, Strength.SHARE, None)) for _ in range(2)]
    words = {Strength.STRONG: "FOR UPDATE", Strength.SHARE: "FOR KEY SHARE"}
    clauses = [f" {words[s]} OF {name}" for s, name in zip(chosen, "ic", strict=True) if s is not None]
    one = draw.random.random() < 0.3
    query = (
        f"SELECT i.id, c.id FROM item i JOIN {table} AS c ON c.item = i.id WHERE i.id IN ({draw.listed})"
        f" ORDER BY i.id, c.id{' LIMIT 1' if one else ''}{''.join(clauses)}"
    )
    return Step(query, "read_join", (table, draw.some, tuple(chosen)), (("one", one),))


def _remove(draw: Draw) -> Step:
    return Step(f"DELETE FROM {draw.table} WHERE id IN ({draw.listed})", "delete", (draw.table, draw.some))


def _move(draw: Draw) -> Step:
    if draw.one == draw.two:
        return _remove(draw)
    return Step(f"UPDATE item SET id = {draw.two} WHERE id = {draw.one}", "move", (draw.one, draw.two))
