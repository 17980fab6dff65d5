"""The tables of a script: those of `mine.setup.sql`, those of the built-in scripts, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotrow.errors import UsageError
from hotrow.script.built_in_scripts import TABLES, fill
from hotrow.script.cutting import cut
from hotrow.script.sql_template import read_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.script.source_text import Source
    from hotrow.script.sql_template import SqlTemplate

_AFTER_FILLING = frozenset({"INDEX", "UNIQUE", "VIEW", "MATERIALIZED", "TRIGGER"})
_REFUSED = {
    "COPY": "COPY needs a client that sends data; use INSERT",
    **dict.fromkeys(
        ("BEGIN", "START", "COMMIT", "END", "ROLLBACK"),
        "each statement of a setup is a transaction of its own",
    ),
}


@dataclass(frozen=True, slots=True)
class ScriptTables:
    """The statements that create and fill the tables."""

    setup: tuple[SqlTemplate, ...]
    built_in: bool
    """Whether the tables of the built-in scripts are made too."""
    missing: str
    """The file in which a setup was looked for, for the message if there is none."""

    def create(self, variables: Mapping[str, Any]) -> Sequence[str]:
        """The CREATE statements, except those that belong after the filling.

        Raises:
            UsageError: there are no tables at all, or a variable is not set.
        """
        if not (self.setup or self.built_in):
            raise UsageError(
                f"which tables? write the statements that make them into {self.missing}, or name the schema"
                " that has them, as in --schema public"
            )
        creating = [each.write(variables) for each in self.setup if _creates(each)]
        return [*(TABLES if self.built_in else ()), *creating]

    def fill(self, variables: Mapping[str, Any]) -> Sequence[str]:
        """All other statements, in their order."""
        filling = [each.write(variables) for each in self.setup if not _creates(each)]
        return [*(fill(variables["scale"]) if self.built_in else ()), *filling]


def _creates(statement: SqlTemplate) -> bool:
    words = statement.words
    makes_object = words[:1] in {("CREATE",), ("DROP",)} and not _AFTER_FILLING.intersection(words[1:2])
    return makes_object and ("AS" not in words[:8] or "FUNCTION" in words[:4])


def read_setup(source: Source) -> tuple[SqlTemplate, ...]:
    """The statements of a setup file.

    Raises:
        ScriptError: a backslash command, or a statement that cannot be run by itself.
    """
    templates = []
    for piece in cut(source):
        if piece.word is not None:
            raise source.error(
                piece.start, f"\\{piece.word}: a setup has SQL statements only; it knows :keys and :scale"
            )
        for part in piece.parts:
            template = read_template(source, part)
            refusal = _REFUSED.get(template.words[0] if template.words else "")
            if refusal is not None:
                raise source.error(part.start, refusal)
            templates.append(template)
    return tuple(templates)
