"""Many readers and a few writers of the same rows: what reads cost, and what they see.

People fear that readers get in the way of writers, or must be retried with them, or see half of an edit.
Under snapshot isolation none of that happens: a transaction that only reads never conflicts, however hot its
rows, and sees one moment of the whole database, over all its statements. Only writers meet writers. `--reads
0,0.5,0.9,0.99` shows both kinds apart; with many readers few clients write at once, though more than their
share, because an edit that is tried again takes longer than a read.

An article and its teaser stand in two tables and are edited together, in one transaction. Readers read four
articles, then their teasers in a second statement. A reader that sees an article and a teaser of different
revisions has seen half an edit; it notes that in a row, so that the check knows what only a reader can have
seen.

The check proves that no reader saw half an edit, that none is left in the tables, and that each acknowledged
edit was made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from hotrow.knob import Share
from hotrow.scenario import (
    Keys,
    Scenario,
    Session,
    State,
    Tally,
    Verdict,
    Work,
    applied_once,
    judge,
    key_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from hotrow.scenario import Violation

READ, WRITE = 0, 1
_READ_AT_ONCE = 4

_HALF_EDITS = (
    "CREATE TABLE half_edit (reader uuid, id bigint, article bigint NOT NULL, teaser bigint NOT NULL, "
    "PRIMARY KEY (reader, id))"
)
_SOME = f"WHERE id IN ({', '.join(f'${place}' for place in range(1, _READ_AT_ONCE + 1))}) ORDER BY id"
_ARTICLES = f"SELECT id, revision FROM article {_SOME}"
_TEASERS = f"SELECT id, revision FROM teaser {_SOME}"
_EDIT_ARTICLE = "UPDATE article SET revision = revision + 1 WHERE id = $1"
_EDIT_TEASER = "UPDATE teaser SET revision = revision + 1 WHERE id = $1"
_NOTE = "INSERT INTO half_edit VALUES ($1, $2, $3, $4)"
_NOTED = "SELECT reader, id, article, teaser FROM half_edit ORDER BY id, reader"
_LEFT = (
    "SELECT NULL, id, article.revision, teaser.revision FROM article JOIN teaser USING (id) "
    "WHERE article.revision <> teaser.revision ORDER BY id"
)


class ReadMostly(Scenario):
    """Read four articles with their teasers, or edit one."""

    name = "read-mostly"
    kinds = ("read", "write")
    reads = Share(0.9, "share of transactions that only read; the others edit")

    @property
    def keys_per_transaction(self) -> int:
        """What a reader draws; a writer draws one."""
        return _READ_AT_ONCE

    def tables(self) -> Sequence[str]:
        """Articles and their teasers share their ids; and what readers saw of half edits."""
        return [
            "CREATE TABLE article (id bigint PRIMARY KEY, revision bigint NOT NULL)",
            "CREATE TABLE teaser (id bigint PRIMARY KEY, revision bigint NOT NULL)",
            _HALF_EDITS,
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """Everything at revision 0."""
        return [
            f"INSERT INTO {table} SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
            for table in ("article", "teaser")
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which kind and which articles; a reader has an id, for what it may have to note."""
        if rng.random() < self.reads:
            reader = UUID(bytes=rng.bytes(16), version=4)
            return Work((reader, *keys.draw(_READ_AT_ONCE)), writes=(), kind=READ)
        (article,) = keys.draw(1)
        return Work((article,), writes=(article,), kind=WRITE)

    def run(self, session: Session, work: Work) -> None:
        """Read or edit."""
        (_read if work.kind == READ else _edit)(session, *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all revisions, the half edits that were seen, and those that are there now."""
        ((revisions,),) = session.execute("SELECT sum(revision)::bigint FROM article").rows
        seen = [*session.execute(_NOTED).rows, *session.execute(_LEFT).rows]
        return {"revisions": revisions, "half_edits": seen}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """No half edit that was not already so before; each edit was made once."""
        known = set(before["half_edits"])
        violations = [_violation(*seen) for seen in after["half_edits"] if seen not in known]
        edits = after["revisions"] - before["revisions"]
        return [
            judge(
                "no half edit is ever seen", violations, size=lambda one: abs(one["article"] - one["teaser"])
            ),
            applied_once("revisions equal acknowledged edits", edits, tally.kinds[WRITE]),
        ]


def _read(session: Session, reader: UUID, *articles: int) -> None:
    """Only read; where that shows half an edit, note it."""
    revisions: dict[int, int] = dict(session.execute(_ARTICLES, *articles).rows)
    for id_, teaser in session.execute(_TEASERS, *articles).rows:
        if teaser != revisions[id_]:
            session.execute(_NOTE, reader, id_, revisions[id_], teaser)


def _edit(session: Session, article: int) -> None:
    session.execute(_EDIT_ARTICLE, article)
    session.execute(_EDIT_TEASER, article)


def _violation(reader: Any, id_: int, article: int, teaser: int) -> Violation:
    """Revisions of an article and its teaser; without a reader, as they stand at the end."""
    return {
        "id": id_,
        "article": article,
        "teaser": teaser,
        "reader": None if reader is None else str(reader),
    }
