"""Where the locking clauses of a statement are, and the clauses of a SELECT that has one."""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.rewriting.sql_text import Refusal, Statement

_KINDS = {
    ("UPDATE",): "__for_update",
    ("KEY", "SHARE"): "__for_key_share",
    ("SHARE",): None,
    ("NO", "KEY", "UPDATE"): None,
}
"""Locking clauses, and the suffix of the function that stands for each; None where there is none."""

LIMITS = ("LIMIT", "OFFSET", "FETCH")
POSTGRESQL_REFUSES = ("GROUP", "HAVING", "WINDOW", "UNION", "INTERSECT", "EXCEPT")
_CLAUSES = frozenset({"FROM", "WHERE", "ORDER", "FOR", *LIMITS, *POSTGRESQL_REFUSES})


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT with locking clauses: where each of its clauses starts and ends, in their order."""

    statement: Statement
    start: int
    clauses: tuple[tuple[str, int, int], ...]

    def texts(self, *words: str) -> list[str]:
        """The texts of these clauses."""
        return [self.statement.source(i, j) for word, i, j in self.clauses if word in words]

    def has(self, *words: str) -> bool:
        """Whether it has one of these clauses."""
        return any(word in words for word, _, _ in self.clauses)

    def clause(self, wanted: str) -> tuple[int, int]:
        """Where the clause starts and ends."""
        return next((i, j) for word, i, j in self.clauses if word == wanted)

    @property
    def lock(self) -> tuple[int, int, str]:
        """Where the name of the relation is, and what stands for its locking clause."""
        i, _ = self.clause("FOR")
        words, suffix = _kind(self.statement, i)
        return i, i + 1 + words, suffix or ""


def find_locks(statement: Statement) -> list[int]:
    """Where the locking clauses are.

    Raises:
        Refusal: one of them is FOR SHARE or FOR NO KEY UPDATE, or none of a SELECT.
    """
    found = [i for i in range(len(statement.tokens)) if _is_lock(statement, i)]
    if any(_kind(statement, i)[1] is None for i in found):
        raise Refusal("locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported")
    if not found and _locks_otherwise(statement):
        raise Refusal("the stand-in takes FOR UPDATE as the last clause of a SELECT of one table only")
    return found


def _locks_otherwise(statement: Statement) -> bool:
    """Whether it locks without a SELECT of its own: `TABLE account FOR UPDATE`, `(SELECT …) FOR UPDATE`."""
    if statement[0].word not in {"TABLE", "("}:
        return False
    return any(
        statement.at(i, "FOR") and _kind(statement, i)[0] > 0 and statement[i].depth == 0
        for i in range(len(statement.tokens))
    )


def _is_lock(statement: Statement, index: int) -> bool:
    if not (statement.at(index, "FOR") and _kind(statement, index)[0]):
        return False
    start = _select_before(statement, index)
    return start is not None and any(
        _is_clause(statement, i, "FROM") and statement[i].depth == statement[index].depth
        for i in range(start, index)
    )


def _kind(statement: Statement, index: int) -> tuple[int, str | None]:
    """How many words follow FOR in a locking clause (0 where it is none), and the function's suffix."""
    for words, suffix in _KINDS.items():
        if statement.at(index + 1, *words):
            return len(words), suffix
    return 0, None


def _select_before(statement: Statement, index: int) -> int | None:
    """The SELECT that a clause belongs to: the nearest one before it within the same parentheses."""
    depth = statement[index].depth
    for i in range(index - 1, -1, -1):
        if statement[i].depth < depth:
            return None
        if statement[i].depth == depth and statement.at(i, "SELECT") and not statement.at(i - 1, "."):
            return i
    return None


def _is_clause(statement: Statement, index: int, word: str) -> bool:
    """Whether this word starts a clause here: not as a label, nor in IS DISTINCT FROM."""
    if not statement.at(index, word) or statement[index - 1].word in {".", "AS"}:
        return False
    compared = statement.at(index - 1, "DISTINCT") and statement[index - 2].word in {"IS", "NOT"}
    return not (word == "FROM" and compared)


def read_select(statement: Statement, lock: int) -> Select:
    """The SELECT that the locking clause here belongs to, cut into its clauses."""
    start = _select_before(statement, lock)
    assert start is not None  # noqa: S101 - it is what makes a locking clause
    starts = _clause_starts(statement, start)
    end = starts.pop()
    ends = [*starts[1:], end]
    clauses = tuple((statement[i].word, i, j) for i, j in zip(starts, ends, strict=True))
    return Select(statement, start, clauses)


def _clause_starts(statement: Statement, select: int) -> list[int]:
    """Where the clauses of a SELECT start, and then where it ends."""
    depth = statement[select].depth
    starts: list[int] = []
    i = select + 1
    while i < len(statement.tokens) and statement[i].depth >= depth:
        if statement[i].depth == depth:
            if _starts_more(statement, i, starts):
                break
            if _starts_clause(statement, i):
                starts.append(i)
        i += 1
    return [*starts, i]


def _starts_clause(statement: Statement, index: int) -> bool:
    word = statement[index].word
    if word == "FOR":
        return _kind(statement, index)[0] > 0
    return word in _CLAUSES and _is_clause(statement, index, word)


def _starts_more(statement: Statement, index: int, starts: list[int]) -> bool:
    """Whether a SELECT has ended with its locking clause: what follows belongs to the statement around it."""
    last = starts[-1] if starts else -1
    if statement.at(last, "FOR"):
        return index >= _lock_end(statement, last) and not _starts_clause(statement, index)
    return statement.at(index, "RETURNING") or statement.at(index, "ON", "CONFLICT")


def _lock_end(statement: Statement, index: int) -> int:
    """The index after FOR UPDATE [OF name, …] [NOWAIT | SKIP LOCKED]."""
    end = index + 1 + _kind(statement, index)[0]
    if statement.at(end, "OF"):
        end = statement.name_end(end + 1)
        while statement.at(end, ","):
            end = statement.name_end(end + 1)
    return statement.after(statement.after(end, "NOWAIT"), "SKIP", "LOCKED")
