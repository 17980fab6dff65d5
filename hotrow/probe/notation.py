"""The notation of probes: interleavings of sessions, one step a line, with what Aurora DSQL answers.

```
tables account: CREATE TABLE account (id bigint PRIMARY KEY, balance bigint)
tables account: INSERT INTO account VALUES (1, 100)

probe: of two updates of one row the second committer loses
tags: conflict
source: OBS
tables: account
a: BEGIN                                       -> BEGIN
b: BEGIN                                       -> BEGIN
a: UPDATE account SET balance = 1 WHERE id = 1 -> UPDATE 1
b: UPDATE account SET balance = 2 WHERE id = 1 -> UPDATE 1
a: COMMIT                                      -> COMMIT
b: COMMIT                                      -> 40001 OC000
```
docs/probe.md is its reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import TYPE_CHECKING

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SOURCES = ("OBS", "DOC", "PG")
"""Recorded on a cluster; documented; plain PostgreSQL's semantics, which DSQL shares."""
ANY_ROWS = "rows"
"""An expectation that one or more rows meet, whatever they say."""
_TABLES_FILE = "tables.probes"
_LINE = re.compile(r"(?P<word>[a-z]+)(?: (?P<name>[a-z_]+))?: *(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of one session; `expected` are the answers that are DSQL's."""

    session: str
    sql: str
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One interleaving. `name` is a sentence: what Aurora DSQL does."""

    name: str
    tags: tuple[str, ...]
    source: str
    """One of SOURCES, or one and a remark: `DOC, at any statement or at COMMIT`."""
    setup: tuple[str, ...]
    """SQL that makes and fills the tables, each statement in a transaction of its own."""
    steps: tuple[Step, ...]
    some: str | None = None
    """An answer that at least one step must get, where it is open which one."""

    @property
    def origin(self) -> str:
        """Which of SOURCES the expectation comes from."""
        return self.source.partition(",")[0]

    @property
    def sessions(self) -> tuple[str, ...]:
        """The names of its sessions, in the order of their first steps."""
        return tuple(dict.fromkeys(step.session for step in self.steps))


@dataclass(slots=True)
class _Draft:
    """A probe whose lines are still being read."""

    where: str
    fields: dict[str, str]
    steps: list[Step] = field(default_factory=list)


def load_probes() -> tuple[Probe, ...]:
    """Every probe that comes with hotrow, file by file."""
    entries = [entry for entry in files("hotrow.probe").iterdir() if entry.name.endswith(".probes")]
    entries.sort(key=lambda entry: (entry.name != _TABLES_FILE, entry.name))
    return parse([(entry.name, entry.read_text(encoding="utf-8")) for entry in entries])


def parse(texts: Iterable[tuple[str, str]]) -> tuple[Probe, ...]:
    """The probes of (file name, text) pairs; tables that one text defines, later texts may use.

    Raises:
        UsageError: `file:line: …`, at a line that is no notation or a probe that lacks something.
    """
    tables: dict[str, list[str]] = {}
    drafts: list[_Draft] = []
    for file, text in texts:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.startswith("#"):
                _read(f"{file}:{number}", line.strip(), tables, drafts)
    probes = tuple(_finished(draft, tables) for draft in drafts)
    _check_names(probes)
    return probes


def select(probes: Sequence[Probe], pattern: str) -> tuple[Probe, ...]:
    """The probes whose name contains or matches `pattern` (`*` and `?` are wild), or that have it as a tag.

    Raises:
        UsageError: there is none.
    """
    wanted = pattern.lower()
    chosen = tuple(
        probe
        for probe in probes
        if wanted in probe.name.lower() or fnmatchcase(probe.name.lower(), wanted) or wanted in probe.tags
    )
    if not chosen:
        tags = ", ".join(sorted({tag for probe in probes for tag in probe.tags}))
        raise UsageError(f"--only {pattern!r}: no probe's name contains it; tags are {tags}")
    return chosen


def _read(where: str, line: str, tables: dict[str, list[str]], drafts: list[_Draft]) -> None:
    """Take one line into the tables or the newest draft."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise UsageError(f"{where}: no line of a probe: {line!r}")
    word, name, rest = match.group("word", "name", "rest")
    if name is not None:
        if word != "tables":
            raise UsageError(f"{where}: only `tables` takes a name, not {word!r}")
        tables.setdefault(name, []).append(rest)
    elif word == "probe":
        drafts.append(_Draft(where, {"probe": rest}))
    elif not drafts:
        raise UsageError(f"{where}: a probe starts with `probe: …`")
    elif len(word) == 1:
        drafts[-1].steps.append(_step(where, word, rest))
    elif word not in ("tags", "source", "tables", "some") or word in drafts[-1].fields:
        raise UsageError(f"{where}: unknown or repeated: {word!r}")
    else:
        drafts[-1].fields[word] = rest


def _step(where: str, session: str, rest: str) -> Step:
    """A step; the last `->` of its line is the arrow, so that SQL may hold others."""
    sql, arrow, expected = rest.rpartition("->")
    answers = tuple(answer.strip() for answer in expected.split("|"))
    if not arrow or not sql.strip() or not all(answers):
        raise UsageError(f"{where}: a step is `{session}: SQL -> expected`, or `… -> this | that`")
    return Step(session, sql.strip(), answers)


def _finished(draft: _Draft, tables: dict[str, list[str]]) -> Probe:
    fields = draft.fields
    missing = [word for word in ("tags", "source") if not fields.get(word)]
    if missing or not draft.steps:
        raise UsageError(f"{draft.where}: the probe lacks {', '.join(missing) or 'steps'}")
    if fields["source"].partition(",")[0] not in SOURCES:
        raise UsageError(f"{draft.where}: source is one of {', '.join(SOURCES)}, perhaps with `, a remark`")
    names = fields.get("tables", "").split()
    unknown = [name for name in names if name not in tables]
    if unknown:
        raise UsageError(f"{draft.where}: unknown tables {', '.join(unknown)}")
    return Probe(
        name=fields["probe"],
        tags=tuple(fields["tags"].split()),
        source=fields["source"],
        setup=tuple(sql for name in names for sql in tables[name]),
        steps=tuple(draft.steps),
        some=fields.get("some"),
    )


def _check_names(probes: Sequence[Probe]) -> None:
    names = [probe.name for probe in probes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"two probes are named {twice[0]!r}")
