"""The notation of probes: interleavings of sessions, one step per line, with Aurora DSQL's answers.

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
The reference is docs/probe.md.
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
"""Observed on a cluster; documented; the semantics of PostgreSQL, which Aurora DSQL shares."""
ANY_ROWS = "rows"
"""The expected answer `rows`: one or more rows with any values."""
_TABLES_FILE = "tables.probes"
_LINE = re.compile(r"(?P<word>[a-z]+)(?: (?P<name>[a-z_]+))?: *(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of one session. `expected` contains Aurora DSQL's possible answers."""

    session: str
    sql: str
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """One interleaving. `name` is a sentence about Aurora DSQL's behaviour."""

    name: str
    tags: tuple[str, ...]
    source: str
    """One of SOURCES, with or without a remark: `DOC, at any statement or at COMMIT`."""
    setup: tuple[str, ...]
    """The statements that create and fill the tables, each one a transaction."""
    steps: tuple[Step, ...]
    some: str | None = None
    """An answer that at least one step must get, if it may be any of several."""

    @property
    def origin(self) -> str:
        """The one of SOURCES from which the expectation comes."""
        return self.source.partition(",")[0]

    @property
    def sessions(self) -> tuple[str, ...]:
        """The names of its sessions, in the order of their first steps."""
        return tuple(dict.fromkeys(step.session for step in self.steps))


@dataclass(slots=True)
class _Draft:
    """A probe whose lines are still being read."""

    location: str
    fields: dict[str, str]
    steps: list[Step] = field(default_factory=list)


def load_probes() -> tuple[Probe, ...]:
    """All probes that hotrow includes, file by file."""
    entries = [entry for entry in files("hotrow.probe").iterdir() if entry.name.endswith(".probes")]
    entries.sort(key=lambda entry: (entry.name != _TABLES_FILE, entry.name))
    return parse([(entry.name, entry.read_text(encoding="utf-8")) for entry in entries])


def parse(texts: Iterable[tuple[str, str]]) -> tuple[Probe, ...]:
    """The probes of (file name, text) pairs. A text may use the tables that an earlier one defines.

    Raises:
        UsageError: a line is not valid or a probe is incomplete; the text is `file:line: …`.
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
    """The probes whose name contains or matches `pattern` (with `*` and `?`), or that have it as a tag.

    Raises:
        UsageError: no probe matches.
    """
    lowered = pattern.lower()
    chosen = tuple(
        probe
        for probe in probes
        if lowered in probe.name.lower() or fnmatchcase(probe.name.lower(), lowered) or lowered in probe.tags
    )
    if not chosen:
        tags = ", ".join(sorted({tag for probe in probes for tag in probe.tags}))
        raise UsageError(f"--only {pattern!r}: no probe's name contains it; tags are {tags}")
    return chosen


def _read(location: str, line: str, tables: dict[str, list[str]], drafts: list[_Draft]) -> None:
    """Add one line to the tables or to the last draft."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise UsageError(f"{location}: not a line of a probe: {line!r}")
    word, name, rest = match.group("word", "name", "rest")
    if name is not None:
        if word != "tables":
            raise UsageError(f"{location}: only `tables` takes a name, not {word!r}")
        tables.setdefault(name, []).append(rest)
    elif word == "probe":
        drafts.append(_Draft(location, {"probe": rest}))
    elif not drafts:
        raise UsageError(f"{location}: a probe starts with `probe: …`")
    elif len(word) == 1:
        drafts[-1].steps.append(_step(location, word, rest))
    elif word not in ("tags", "source", "tables", "some") or word in drafts[-1].fields:
        raise UsageError(f"{location}: unknown or repeated: {word!r}")
    else:
        drafts[-1].fields[word] = rest


def _step(location: str, session: str, rest: str) -> Step:
    """A step. The last `->` of its line is the arrow, so that SQL may contain others."""
    sql, arrow, expected = rest.rpartition("->")
    answers = tuple(answer.strip() for answer in expected.split("|"))
    if not arrow or not sql.strip() or not all(answers):
        raise UsageError(f"{location}: a step is `{session}: SQL -> expected`, or `… -> this | that`")
    return Step(session, sql.strip(), answers)


def _finished(draft: _Draft, tables: dict[str, list[str]]) -> Probe:
    fields = draft.fields
    missing = [word for word in ("tags", "source") if not fields.get(word)]
    if missing or not draft.steps:
        raise UsageError(f"{draft.location}: the probe lacks {', '.join(missing) or 'steps'}")
    if fields["source"].partition(",")[0] not in SOURCES:
        raise UsageError(
            f"{draft.location}: source is one of {', '.join(SOURCES)}, with or without `, a remark`"
        )
    names = fields.get("tables", "").split()
    unknown = [name for name in names if name not in tables]
    if unknown:
        raise UsageError(f"{draft.location}: unknown tables {', '.join(unknown)}")
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
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise UsageError(f"two probes are named {repeated[0]!r}")
