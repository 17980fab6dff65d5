"""summary.md: verdict, gates and table of a run as Markdown, for a pull request or a job summary. Pure."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from reports.output.terminal import console_columns, ending
from reports.words import wording as words
from reports.words.cases import cases
from reports.words.verdict_lines import with_gates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reports.words.cases import Case

MAX_BYTES = 60_000
"""GitHub takes 64 KiB for a comment and 1 MiB for a job summary."""
_MAX_CHARACTERS = 300
"""Of one line from a scenario or a server."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]#+!|~$@])")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_SIGN = {"passed": "\N{WHITE HEAVY CHECK MARK}", "failed": "\N{CROSS MARK}", "error": "\N{WARNING SIGN}"}


def markdown(summary: Mapping[str, Any], charts: Sequence[str]) -> str:
    """Write a summary (format 1) as Markdown of at most `MAX_BYTES` bytes.

    Args:
        summary: the run.
        charts: names of its chart files.

    Rows that do not fit are left out, and a line says how many.
    """
    summary = with_gates(words.redact(summary))
    run = summary["run"]
    head = [
        f"## hotrow: {_escaped(run['scenario'])} on {_escaped(run['target']['label'])}",
        "",
        _escaped(ending(summary)),
        "",
    ]
    tests = cases(summary)
    gates = [case for case in tests if case.group == "gates"]
    wrong = [case for case in tests if case.group != "gates" and case.status in {"failed", "error"}]
    tail = ["", f"Charts beside this file: {', '.join(f'`{name}`' for name in charts)}."] if charts else []
    table = list(_table(summary))
    rows, left = table[2:], MAX_BYTES
    fixed = [*head, *_list("Gates", gates), *_list("What is wrong", wrong), *table[:2]]
    left -= sum(len(line.encode()) + 1 for line in (*fixed, *tail)) + 100
    kept: list[str] = []
    for row in rows:
        left -= len(row.encode()) + 1
        if left < 0:
            break
        kept.append(row)
    missing = len(rows) - len(kept)
    more = ["", f"{words.counted(missing, 'more cell')} in summary.json."] if missing else []
    return "\n".join([*fixed, *kept, *more, *tail]) + "\n"


def _list(title: str, tests: Sequence[Case], most: int = 40) -> Iterator[str]:
    if not tests:
        return
    yield f"**{title}**"
    yield ""
    for case in tests[:most]:
        yield f"- {_SIGN.get(case.status, '')} {_escaped(_cut(case.name))}"
    if len(tests) > most:
        yield f"- and {len(tests) - most} more in junit.xml"
    yield ""


def _table(summary: Mapping[str, Any]) -> Iterator[str]:
    columns = console_columns(summary["cells"])
    yield _row(column.head.replace("\n", " ") for column in columns)
    yield _row(("---:" if column.numeric else "---" for column in columns), escape=False)
    for cell in summary["cells"]:
        yield _row(column.text(cell) for column in columns)


def _row(texts: Iterable[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(_escaped(_cut(text)) if escape else text for text in texts)} |"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _escaped(text: str) -> str:
    """The text on one line, with nothing in it that Markdown or HTML would read as markup."""
    plain = str(text).encode("utf-8", "backslashreplace").decode()
    marked = _SPECIAL.sub(r"\\\1", " ".join(_CONTROL.sub(" ", plain).split()))
    return html.escape(marked, quote=False)
