"""Rows that refer to a parent: what a foreign key adds to the conflicts of a transaction.

An INSERT under a foreign key locks the parent's row, so that it cannot vanish (FOR KEY SHARE). Such locks do
not meet one another, and they do not meet an UPDATE of other columns. They meet a DELETE, a change of the
parent's key, and FOR UPDATE. So a popular parent is not hot because of its children alone.

- `--parent update` changes a column of the parent that is no key: children do not conflict with it.
- `--parent lock` reads the parent FOR UPDATE before it changes it, as many applications do: then every child
  of this parent that was inserted meanwhile conflicts with it.
- `--changes 0.1` is the share of transactions that change a parent; the others insert a child.

The cure is to change parents without FOR UPDATE, or to leave out the foreign key where the application can
check it.

The check proves that each acknowledged child exists once and that each acknowledged change was applied once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hotrow.knob import Choice, Share
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work, applied_once, key_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

CHILD, PARENT = 0, 1
"""Indexes into `kinds`."""
_TABLES = (
    "CREATE TABLE parent (id bigint PRIMARY KEY, changes bigint NOT NULL)",
    "CREATE TABLE child (id uuid PRIMARY KEY, parent bigint NOT NULL REFERENCES parent (id))",
)
_INSERT = "INSERT INTO child VALUES ($1, $2)"
_LOCK = "SELECT changes FROM parent WHERE id = $1 FOR UPDATE"
_CHANGE = "UPDATE parent SET changes = changes + 1 WHERE id = $1"
_TOTALS = "SELECT (SELECT count(*) FROM child), (SELECT sum(changes)::bigint FROM parent)"


class References(Scenario):
    """Insert a row that refers to a parent, or change a parent."""

    name = "references"
    kinds = ("child", "parent")
    parent = Choice(
        "update", "how a parent is changed: by UPDATE alone, or FOR UPDATE first", ("update", "lock")
    )
    changes = Share(0.1, "share of transactions that change a parent; the others insert a child")

    def tables(self) -> Sequence[str]:
        """The parents, and their children under random ids."""
        return _TABLES

    def seed(self, keys: int) -> Sequence[str]:
        """Parents without children."""
        return [
            f"INSERT INTO parent SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose a parent and what to do. A child shares no row with other children."""
        (parent,) = keys.draw(1)
        child = UUID(bytes=rng.bytes(16), version=4)
        if rng.random() < self.changes:
            return Work((parent,), writes=(parent,), kind=PARENT)
        return Work((child, parent), writes=(), kind=CHILD)

    def run(self, session: Session, work: Work) -> None:
        """Insert the child, or change the parent."""
        if work.kind == CHILD:
            session.execute(_INSERT, *work.parameters)
            return
        if self.parent == "lock":
            session.execute(_LOCK, *work.parameters)
        session.execute(_CHANGE, *work.parameters)

    def observe(self, session: Session) -> State:
        """The number of children, and of changes of all parents."""
        ((children, changes),) = session.execute(_TOTALS).rows
        return {"children": children, "changes": changes}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that each child and each change that was acknowledged is there once."""
        children, changes = (after[name] - before[name] for name in ("children", "changes"))
        return [
            applied_once("children equal acknowledged children", children, tally.kinds[CHILD]),
            applied_once("changes equal acknowledged changes", changes, tally.kinds[PARENT]),
        ]
