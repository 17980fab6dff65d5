"""Many readers and a few writers of the same rows: what reads cost, and what they see.

The fears are that readers block writers, that readers must be retried too, or that they see half of an edit.
Under snapshot isolation none of this happens. A transaction that only reads never conflicts, however hot its
rows are. All its statements see the database at one moment. Only writers conflict, with other writers.

`--reads 0,0.5,0.9,0.99` shows the two kinds of transaction separately. With many readers, few clients write
at the same time. Those who write are more than their share of the draws, because a retried edit takes longer
than a read.

An article and its teaser are rows of two tables. One transaction edits both. A reader reads four articles,
and then their teasers in a second statement. If an article and its teaser have different revisions, the
reader has seen half an edit. It records that in a row, because nobody else can know it.

The check proves that no reader saw half an edit, that no half edit is left in the tables, and that each
acknowledged edit was made once.
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
"""Indexes into `kinds`."""
_READ_AT_ONCE = 4

_HALF_EDITS = (
    "CREATE TABLE half_edit (reader uuid, id bigint, article bigint NOT NULL, teaser bigint NOT NULL, "
    "PRIMARY KEY (reader, id))"
)
_SOME = f"WHERE id IN ({', '.join(f'${number}' for number in range(1, _READ_AT_ONCE + 1))}) ORDER BY id"
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
    """Read four articles with their teasers, or edit one article with its teaser."""

    name = "read-mostly"
    kinds = ("read", "write")
    reads = Share(0.9, "share of transactions that only read; the others edit")

    @property
    def keys_per_transaction(self) -> int:
        """The articles that a reader draws; a writer draws one."""
        return _READ_AT_ONCE

    def tables(self) -> Sequence[str]:
        """Articles and teasers under the same ids, and the half edits that readers saw."""
        return [
            "CREATE TABLE article (id bigint PRIMARY KEY, revision bigint NOT NULL)",
            "CREATE TABLE teaser (id bigint PRIMARY KEY, revision bigint NOT NULL)",
            _HALF_EDITS,
        ]

    def seed(self, keys: int) -> Sequence[str]:
        """All articles and teasers, at revision 0."""
        return [
            f"INSERT INTO {table} SELECT id, 0 FROM generate_series({first}, {last}) AS id"
            for first, last in key_ranges(keys)
            for table in ("article", "teaser")
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose the kind and the articles; a reader also gets an id, under which it records half edits."""
        if rng.random() < self.reads:
            reader = UUID(bytes=rng.bytes(16), version=4)
            return Work((reader, *keys.draw(_READ_AT_ONCE)), writes=(), kind=READ)
        (article,) = keys.draw(1)
        return Work((article,), writes=(article,), kind=WRITE)

    def run(self, session: Session, work: Work) -> None:
        """Read or edit, as drawn."""
        (_read if work.kind == READ else _edit)(session, *work.parameters)

    def observe(self, session: Session) -> State:
        """The sum of all revisions, the half edits that readers saw, and those in the tables now."""
        ((revisions,),) = session.execute("SELECT sum(revision)::bigint FROM article").rows
        half_edits = [*session.execute(_NOTED).rows, *session.execute(_LEFT).rows]
        return {"revisions": revisions, "half_edits": half_edits}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that there is no new half edit and that each edit was made once."""
        known = set(before["half_edits"])
        violations = [_violation(*half_edit) for half_edit in after["half_edits"] if half_edit not in known]
        edits = after["revisions"] - before["revisions"]
        return [
            judge(
                "no half edit is ever seen",
                violations,
                size=lambda half_edit: abs(half_edit["article"] - half_edit["teaser"]),
            ),
            applied_once("revisions equal acknowledged edits", edits, tally.kinds[WRITE]),
        ]


def _read(session: Session, reader: UUID, *articles: int) -> None:
    """Read only; if that shows half an edit, record it."""
    revisions: dict[int, int] = dict(session.execute(_ARTICLES, *articles).rows)
    for id_, teaser in session.execute(_TEASERS, *articles).rows:
        if teaser != revisions[id_]:
            session.execute(_NOTE, reader, id_, revisions[id_], teaser)


def _edit(session: Session, article: int) -> None:
    session.execute(_EDIT_ARTICLE, article)
    session.execute(_EDIT_TEASER, article)


def _violation(reader: Any, id_: int, article: int, teaser: int) -> Violation:
    """The revisions of an article and its teaser; `reader` is None for a half edit in the tables."""
    return {
        "id": id_,
        "article": article,
        "teaser": teaser,
        "reader": None if reader is None else str(reader),
    }
