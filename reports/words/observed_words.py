"""What a report says about an observed run: its sentences, terms and tables. Pure.

The load came from a program that hotrow does not know, through `hotrow tap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.metrics import conflict_rate, goodput_per_s, quotable_p99

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words.wording import Cell

OBSERVED = "observed"
_ACCESS = {"writes": "written", "locks": "locked", "reads": "read"}
_MAX_ROWS = 20
_MIN_CONFLICTS = 10
"""With fewer conflicts a share of them is left to chance."""
_NOTABLE_SHARE = 0.5

TERMS = (
    ("user", "One connection. Numbers of connections that have ended are used again."),
    (
        "attempt",
        "One try of a transaction, from BEGIN to COMMIT or ROLLBACK, or one statement without BEGIN.",
    ),
    (
        "retry",
        (
            "Inferred: after a conflict, the next transaction on the same connection is a retry if it begins "
            "with the same statement and the same values. A retry on another connection counts as a new "
            "transaction."
        ),
    ),
    ("gave up", "Inferred: a transaction had a conflict, and was not repeated on that connection."),
    ("rejected", "A transaction that the program rolled back without an error."),
    ("conflict rate", "Conflicts per attempt."),
    ("in flight", "Transactions that have begun and not ended."),
    ("goodput", "Committed transactions per second, from the first one to the last one."),
    (
        "latency",
        "From BEGIN of the first try to the answer to COMMIT, as the program saw it, retries included.",
    ),
    (
        "not known",
        (
            "The rows that a transaction takes, their skew, and when the program retries. So there is "
            "no prediction, no D_eff and no hottest row."
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the page."""

    name: str
    """Its heading, which is also its address on the page."""
    subtitle: str
    heads: tuple[str, ...]
    """The first is that of a text; the others are those of numbers."""
    rows: tuple[tuple[str, ...], ...]
    listed: tuple[tuple[str, ...], ...] = ()
    """Statements below each row's first text; empty if there are none."""


def is_observed(run: Mapping[str, Any]) -> bool:
    """Whether the load came from a program that hotrow does not know."""
    return run.get("loop") == OBSERVED


def headline(cells: Sequence[Cell]) -> str:
    """The main result in one sentence."""
    cell = cells[0]
    rate = conflict_rate(cell)
    if rate is None:
        return "No attempt ended."
    flight = cell["observed"]["in_flight"]
    share, attempts = words.share(rate), words.counted(cell["attempts"]["total"], "attempt")
    parts = [f"{share} of {attempts} conflicted, with {words.number(flight['mean'], 2)} in flight on average"]
    if goodput_per_s(cell) is not None:
        parts.append(f"goodput was {words.per_second(goodput_per_s(cell))}")
    if quotable_p99(cell) is not None:
        parts.append(f"p99 latency {words.milliseconds(quotable_p99(cell))}")
    return f"{', '.join(parts)}."


def sentences(cells: Sequence[Cell]) -> list[str]:
    """The sentences below the headline: where conflicts were, and what was retried."""
    cell = cells[0]
    return [text for text in (_table(cell), _transaction(cell), _retries(cell)) if text]


def tables(summary: Mapping[str, Any]) -> tuple[Table, ...]:
    """The tables of transactions, database tables and statements; none if the run was not observed."""
    if not is_observed(summary["run"]) or not summary["cells"]:
        return ()
    cell = summary["cells"][0]
    seen = cell["observed"]
    return tuple(table for table in (_kinds(cell), _tables(seen), _statements(seen)) if table.rows)


def _table(cell: Cell) -> str:
    """The table with the most conflicts."""
    rows = [row for row in cell["observed"]["tables"] if row["access"] != "reads"]
    if not rows or rows[0]["conflicts"] < _MIN_CONFLICTS:
        return ""
    row = rows[0]
    return (
        f"Transactions that {'write' if row['access'] == 'writes' else 'lock rows of'} `{row['table']}` had "
        f"{words.share(row['share'])} of all conflicts: {words.share(row['conflict_rate']['value'])} of them "
        "conflicted."
    )


def _transaction(cell: Cell) -> str:
    """The kind of transaction with the most conflicts, if there are several."""
    kinds = sorted(cell.get("kinds") or (), key=_conflicts, reverse=True)
    if not kinds or _conflicts(kinds[0]) < _MIN_CONFLICTS:
        return ""
    share = _conflicts(kinds[0]) / max(1, sum(map(_conflicts, kinds)))
    if share < _NOTABLE_SHARE:
        return ""
    return (
        f"The transaction with the most conflicts, {words.share(share)} of them, is `{kinds[0]['name']}`: "
        f"{words.share(conflict_rate(kinds[0]))} of its attempts conflicted."
    )


def _retries(cell: Cell) -> str:
    attempts, transactions = cell["attempts"], cell["transactions"]
    conflicts = _conflicts(cell)
    if not conflicts:
        return ""
    retries = attempts["total"] - transactions["started"]  # the interval begins with the first transaction
    return (
        f"Of {words.counted(conflicts, 'conflict')}, {_followed(retries)} followed by a retry "
        f"and {_followed(transactions['gave_up'])} not. This is inferred: a retry begins with the same "
        "statement and the same values on the same connection."
    )


def _followed(many: int) -> str:
    return f"{many:,} {'was' if many == 1 else 'were'}"


def _conflicts(part: Cell) -> int:
    attempts = part["attempts"]
    return int(attempts["conflict"] + attempts["schema_conflict"] + attempts["deadlock"])


def _kinds(cell: Cell) -> Table:
    known = {one["name"]: one["statements"] for one in cell["observed"]["transactions"]}
    kinds = [kind for kind in cell.get("kinds") or () if kind["attempts"]["total"]]
    kinds.sort(key=lambda kind: (-_conflicts(kind), -kind["attempts"]["total"]))
    return Table(
        "Transactions",
        "Transactions with the same statements are one kind. A transaction that failed before its end counts "
        "as the kind that begins in the same way. Most conflicts first.",
        ("statements", "attempts", "conflicts", "conflict rate", "committed", "p99"),
        tuple(
            (
                kind["name"],
                words.count(kind["attempts"]["total"]),
                words.count(_conflicts(kind)),
                words.share(conflict_rate(kind)),
                words.count(kind["attempts"]["committed"]),
                words.milliseconds(kind["latency_ms"]["p99"]),
            )
            for kind in kinds[:_MAX_ROWS]
        ),
        tuple(tuple(known.get(kind["name"], ())) for kind in kinds[:_MAX_ROWS]),
    )


def _tables(seen: Mapping[str, Any]) -> Table:
    rows = seen["tables"][:_MAX_ROWS]
    return Table(
        "Tables",
        "A conflict counts for every table of its transaction, because the database does not say which row "
        "it was.",
        ("table", "access", "attempts", "conflicts", "share of conflicts", "conflict rate"),
        tuple((row["table"], _ACCESS[row["access"]], *_figures(row)) for row in rows),
    )


def _statements(seen: Mapping[str, Any]) -> Table:
    rows = seen["statements"][:_MAX_ROWS]
    return Table(
        "Statements",
        "Attempts that contain the statement, and how many of them conflicted. Values are masked.",
        ("statement", "attempts", "conflicts", "share of conflicts", "conflict rate"),
        tuple((row["text"], *_figures(row)) for row in rows),
    )


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        words.count(row["attempts"]),
        words.count(row["conflicts"]),
        words.share(row["share"]),
        words.share(row["conflict_rate"]["value"]),
    )
