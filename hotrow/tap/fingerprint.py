"""The form of a statement: its text with every literal masked, and the tables that it names. Pure.

No value leaves this module: strings, numbers and parameters become `?`, comments are dropped, and what cannot
be told apart from a string is masked to the end of the text.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

MAX_CHARACTERS = 400
"""The length at which a form is cut off."""
_MAX_READ = 4_096
"""How many characters of a statement are read."""
_MASK = "?"
_UNREADABLE = re.compile(r"\\'|/\*(?:(?!\*/).)*/\*", re.DOTALL)
"""A backslash before a quote, whose meaning depends on a setting, and a comment in a comment."""
_PARTS = re.compile(
    r"""
      (?P<gap> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<literal> (?:[eEbBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?:(?P=tag)|\Z)
        | \$\d+
        | (?:\d\w*(?:\.\w*)?|\.\d\w*)(?:(?<=[eE])[+-]\d+)? )
    | (?P<name> "(?:[^"]|"")*" | [^\W\d][\w$]* )
    | (?P<open> ".* )
    """,
    re.DOTALL | re.VERBOSE,
)
_LIST = re.compile(r"\? ?(?:, ?\? ?)+")
_ROWS = re.compile(r"(\([^()]*\))(?: ?, ?\1)+")
_SPACE_INSIDE = re.compile(r"(?<=\() | (?=[,)])")
_VERB = re.compile(r"[A-Za-z]+")
_CUT = " […]"
_UNREADABLE_END = " …"
_TARGET = re.compile(
    r"(?:insert\s+into|update|delete\s+from|merge\s+into|copy)\s+(?:only\s+)?"
    r"((?:[\w$]+|\"[^\"]+\")(?:\.(?:[\w$]+|\"[^\"]+\"))?)",
    re.IGNORECASE,
)
"""The table that a statement writes, for statements that sqlglot cannot parse."""
_WRITERS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable)


@dataclass(frozen=True, slots=True)
class Form:
    """One statement without its values."""

    text: str
    verb: str
    """Its first word in capitals, such as UPDATE."""
    writes: tuple[str, ...] = field(default=())
    """The tables that it writes."""
    locks: tuple[str, ...] = field(default=())
    """The tables of which it locks rows (FOR UPDATE). On Aurora DSQL these rows conflict too."""
    reads: tuple[str, ...] = field(default=())
    """The other tables that it names."""

    @property
    def name(self) -> str:
        """The verb and the tables, such as `UPDATE account`."""
        tables = self.writes or self.locks or self.reads
        return " ".join((self.verb, *tables[:1]))


def masked(statement: bytes) -> str:
    """The text of a statement without values and comments, in one line."""
    text = statement[:_MAX_READ].decode(errors="replace")
    if _UNREADABLE.search(text):
        return f"{_verb_of(text)}{_UNREADABLE_END}"
    text = " ".join(_PARTS.sub(_replace, text).split())
    text = _SPACE_INSIDE.sub("", text)
    text = _ROWS.sub(r"\1, …", _LIST.sub("?, …", text))
    if len(statement) > _MAX_READ or len(text) > MAX_CHARACTERS:
        return f"{text[:MAX_CHARACTERS]}{_CUT}"
    return text.rstrip("; ")


def form_of(text: str) -> Form:
    """The form with this masked text. Tables that the text does not show for certain are left out."""
    verb = _verb_of(text)
    readable = text.replace(", …", "").replace(_MASK, "NULL")
    tree = None if text.endswith((_CUT, _UNREADABLE_END)) else _parsed(readable)
    if tree is not None:
        return Form(text, verb, *_tables(tree))
    target = _TARGET.match(text)
    return Form(text, verb, writes=(target[1].replace('"', ""),) if target else ())


def _parsed(text: str) -> exp.Expr | None:
    """The syntax tree; None if sqlglot does not understand the statement."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns about syntax that it does not know
    try:
        tree = sqlglot.parse_one(text, read="postgres")
    except (SqlglotError, RecursionError):
        return None
    return None if isinstance(tree, exp.Command) else tree


def _replace(match: re.Match[str]) -> str:
    if match["gap"]:
        return " "
    return match["name"] or _MASK


def _verb_of(text: str) -> str:
    match = _VERB.search(text)
    return match[0].upper()[:20] if match else _MASK


def _tables(tree: exp.Expr) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The tables that a statement writes, locks and reads."""
    own = {query.alias_or_name.lower() for query in tree.find_all(exp.CTE)}
    targets = [target for node in tree.find_all(*_WRITERS) if (target := _target(node)) is not None]
    written = {id(table) for table in targets}
    locks: list[exp.Table] = []
    reads: list[exp.Table] = []
    for table in tree.find_all(exp.Table):
        if id(table) in written or (not table.db and table.name.lower() in own):
            continue
        query = table.find_ancestor(exp.Select)
        locking = query is not None and bool(query.args.get("locks"))
        (locks if locking else reads).append(table)
    return _names(targets), _names(locks), _names(reads)


def _target(node: exp.Expr) -> exp.Table | None:
    """The table that a writing statement writes."""
    this = node.args.get("this")
    if isinstance(this, exp.Table):
        return this
    return this.find(exp.Table) if isinstance(this, exp.Expr) else None


def _names(tables: list[exp.Table]) -> tuple[str, ...]:
    names = (".".join(filter(None, (table.db, table.name))) for table in tables)
    return tuple(dict.fromkeys(name[:MAX_CHARACTERS] for name in names if name))
