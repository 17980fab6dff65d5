"""Finds the locking clauses of a statement, and the clauses of a SELECT that has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.standin.rewriting.from_clause import is_query
from hotrow.standin.rewriting.sql_text import Refusal, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRENGTHS = {
    ("UPDATE",): "__for_update",
    ("KEY", "SHARE"): "__for_key_share",
    ("SHARE",): None,
    ("NO", "KEY", "UPDATE"): None,
}
"""The words after FOR, and the suffix of the function that replaces the clause; None if there is none."""

LIMITS = ("LIMIT", "OFFSET", "FETCH")
POSTGRESQL_REFUSES = ("GROUP", "HAVING", "WINDOW", "UNION", "INTERSECT", "EXCEPT")
_CLAUSES = frozenset({"FROM", "WHERE", "ORDER", "FOR", *LIMITS, *POSTGRESQL_REFUSES})


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT with locking clauses: each clause's first word, its start and its end, in order."""

    statement: Statement
    start: int
    clauses: tuple[tuple[str, int, int], ...]

    def texts(self, *words: str) -> list[str]:
        """The texts of the clauses that begin with one of these words."""
        return [self.statement.source(i, j) for word, i, j in self.clauses if word in words]

    def has(self, *words: str) -> bool:
        """Whether it has a clause that begins with one of these words."""
        return any(word in words for word, _, _ in self.clauses)

    def clause(self, first_word: str) -> tuple[int, int]:
        """Where the clause starts and ends."""
        return next((i, j) for word, i, j in self.clauses if word == first_word)

    def locks(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Each locking clause: the suffix of the function for it, and the names after OF."""
        statement = self.statement
        for word, start, end in self.clauses:
            if word == "FOR":
                words, suffix = _strength(statement, start)
                names = start + 1 + words
                listed = (
                    statement.items(names + 1, _names_end(statement, names))
                    if statement.at(names, "OF")
                    else []
                )
                yield suffix or "", [(i, j) for i, j in listed if i < min(j, end)]


def find_locks(statement: Statement) -> list[int]:
    """The indexes at which locking clauses start.

    Raises:
        Refusal: one of them is FOR SHARE or FOR NO KEY UPDATE.
    """
    locks = [i for i in range(len(statement.tokens)) if _is_lock(statement, i)]
    if any(_strength(statement, i)[1] is None for i in locks):
        raise Refusal("locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported")
    return locks


def spelled_out(statement: Statement) -> str | None:
    """The text with a plain SELECT for `TABLE account FOR UPDATE` or `(SELECT …) FOR UPDATE`.

    None if it has neither.
    """
    for lock in range(len(statement.tokens)):
        if statement.at(lock, "FOR") and _strength(statement, lock)[0] and not _is_lock(statement, lock):
            start = _query_before(statement, lock)
            if start is not None and statement.at(start, "TABLE"):
                return statement.edited([(statement[start].start, statement[start].end, "SELECT * FROM")])
            if start is not None:
                ends = (statement[start], statement[statement.close(start)])
                return statement.edited([(token.start, token.end, " ") for token in ends])
    return None


def _query_before(statement: Statement, index: int) -> int | None:
    """The word TABLE, or the parenthesis of a query, that a locking clause belongs to; None for a SELECT."""
    depth = statement[index].depth
    for i in range(index - 1, -1, -1):
        if statement[i].depth < depth:
            return None
        if statement[i].depth == depth:
            if statement.at(i, "SELECT") or statement[i].word in {"UNION", "INTERSECT", "EXCEPT", "POLICY"}:
                return None
            named = statement.at(i, "TABLE") and (statement[i + 1].is_name or statement.at(i + 1, "ONLY"))
            if named or (statement.at(i, "(") and is_query(statement, i)):
                combined = statement[i - 1].word in {"UNION", "INTERSECT", "EXCEPT", "ALL", "DISTINCT"}
                return None if combined else i
    return None


def _is_lock(statement: Statement, index: int) -> bool:
    if not (statement.at(index, "FOR") and _strength(statement, index)[0]):
        return False
    start = _select_before(statement, index)
    return start is not None and any(
        _is_clause(statement, i, "FROM") and statement[i].depth == statement[index].depth
        for i in range(start, index)
    )


def _strength(statement: Statement, index: int) -> tuple[int, str | None]:
    """How many words follow FOR in a locking clause (0 if it is none), and the function's suffix."""
    for words, suffix in _STRENGTHS.items():
        if statement.at(index + 1, *words):
            return len(words), suffix
    return 0, None


def _select_before(statement: Statement, index: int) -> int | None:
    """The SELECT that a clause belongs to: the nearest one before it in the same parentheses."""
    depth = statement[index].depth
    for i in range(index - 1, -1, -1):
        if statement[i].depth < depth:
            return None
        if statement[i].depth == depth and statement.at(i, "SELECT") and not statement.at(i - 1, "."):
            return i
    return None


def _is_clause(statement: Statement, index: int, word: str) -> bool:
    """Whether this word starts a clause here: it is no label, and not in IS DISTINCT FROM or ROWS FROM."""
    if not statement.at(index, word) or statement[index - 1].word in {".", "AS"}:
        return False
    compared = statement.at(index - 1, "DISTINCT") and statement[index - 2].word in {"IS", "NOT"}
    rows_from = statement.at(index - 1, "ROWS", "FROM", "(")
    return not (word == "FROM" and (compared or rows_from))


def read_select(statement: Statement, lock: int) -> Select:
    """The SELECT that this locking clause belongs to, cut into its clauses."""
    start = _select_before(statement, lock)
    assert start is not None  # noqa: S101 - without a SELECT it would be no locking clause
    starts = _clause_starts(statement, start)
    end = starts.pop()
    ends = [*starts[1:], end]
    clauses = tuple((statement[i].word, i, j) for i, j in zip(starts, ends, strict=True))
    return Select(statement, start, clauses)


def _clause_starts(statement: Statement, select: int) -> list[int]:
    """Where the clauses of a SELECT start; the last number is where the SELECT ends."""
    depth = statement[select].depth
    starts: list[int] = []
    i = select + 1
    while i < len(statement.tokens) and statement[i].depth >= depth:
        if statement[i].depth == depth:
            if _starts_outer(statement, i, starts):
                break
            if _starts_clause(statement, i):
                starts.append(i)
        i += 1
    return [*starts, i]


def _starts_clause(statement: Statement, index: int) -> bool:
    word = statement[index].word
    if word == "FOR":
        return _strength(statement, index)[0] > 0
    return word in _CLAUSES and _is_clause(statement, index, word)


def _starts_outer(statement: Statement, index: int, starts: list[int]) -> bool:
    """Whether the SELECT has ended, so that this token belongs to the statement around it."""
    last = starts[-1] if starts else -1
    if statement.at(last, "FOR"):
        return index >= _lock_end(statement, last) and not _starts_clause(statement, index)
    return statement.at(index, "RETURNING") or statement.at(index, "ON", "CONFLICT")


def _lock_end(statement: Statement, index: int) -> int:
    """The index after FOR UPDATE [OF name, …] [NOWAIT | SKIP LOCKED]."""
    end = _names_end(statement, index + 1 + _strength(statement, index)[0])
    return statement.after(statement.after(end, "NOWAIT"), "SKIP", "LOCKED")


def _names_end(statement: Statement, index: int) -> int:
    """The index after OF name, …; the same index if there is no OF."""
    end = index
    if statement.at(end, "OF"):
        end = statement.name_end(end + 1)
        while statement.at(end, ","):
            end = statement.name_end(end + 1)
    return end
