"""`statements.jsonl`: the statements and the kinds of transaction of an observed run, without any value.

A line is a statement (its masked text and its tables) or a kind of transaction (the statements in it).
Statements and kinds are numbered from 0 in the order in which they were first seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hotrow.json_lines import append_json_line, read_json_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE = "statements.jsonl"
MAX_STATEMENTS = 1_000
MAX_KINDS = 255
"""The record numbers kinds in one byte. The last number stands for all further kinds."""
OTHER_KINDS = "other transactions"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A statement without its values."""

    statement: int
    text: str
    writes: tuple[str, ...]
    locks: tuple[str, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindLine:
    """A kind of transaction: the distinct statements in it, in the order of their first use."""

    kind: int
    name: str
    statements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatementLog:
    """What a run's file says."""

    statements: Mapping[int, StatementLine]
    kinds: Sequence[KindLine]
    unreadable: int = 0
    """The number of lines that were left out."""


NO_STATEMENTS = StatementLog({}, ())
"""Of a run whose transactions hotrow made itself."""


def further_kinds(log: StatementLog) -> list[str]:
    """The name of the last kind, which stands for all that have no number of their own; often empty."""
    return [OTHER_KINDS] if len(log.kinds) >= MAX_KINDS else []


def append_line(directory: Path, line: StatementLine | KindLine) -> None:
    """Append one line. Raises as `append_json_line`."""
    append_json_line(directory / FILE, asdict(line))


def read_statements(directory: Path) -> StatementLog:
    """The statements of a run; lines that are torn, damaged or out of order are left out.

    Raises:
        RunError: the file exists and cannot be read.
    """
    path = directory / FILE
    if not path.exists():
        return NO_STATEMENTS
    lines = read_json_lines(path)
    statements: dict[int, StatementLine] = {}
    kinds: list[KindLine] = []
    unreadable = lines.unreadable
    for fields in lines.objects:
        line = _parsed(fields)
        if isinstance(line, StatementLine) and line.statement == len(statements) < MAX_STATEMENTS:
            statements[line.statement] = line
        elif isinstance(line, KindLine) and line.kind == len(kinds) < MAX_KINDS:
            kinds.append(line)
        else:
            unreadable += 1
    return StatementLog(statements, kinds, unreadable)


def _parsed(fields: Mapping[str, Any]) -> StatementLine | KindLine | None:
    try:
        if "kind" in fields:
            numbers = tuple(int(number) for number in fields["statements"])
            return KindLine(int(fields["kind"]), str(fields["name"]), numbers)
        names = (tuple(map(str, fields[name])) for name in ("writes", "locks", "reads"))
        return StatementLine(int(fields["statement"]), str(fields["text"]), *names)
    except (KeyError, TypeError, ValueError):
        return None
