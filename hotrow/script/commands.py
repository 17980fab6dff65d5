"""The commands of a compiled script. Branches are jumps, so that an interpreter needs only a position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotrow.script.expressions import Evaluate
    from hotrow.script.sql_template import SqlTemplate


@dataclass(frozen=True, slots=True)
class Set:
    r"""`\set`."""

    name: str
    evaluate: Evaluate
    offset: int
    bounds: tuple[Evaluate, Evaluate] | None = None
    """The bounds of the range, if the expression is a call of a random function and nothing else."""


@dataclass(frozen=True, slots=True)
class Branch:
    r"""`\if` or `\elif`: go to `otherwise` if the condition does not hold."""

    condition: Evaluate
    otherwise: int


@dataclass(frozen=True, slots=True)
class Jump:
    r"""The end of a branch of `\if`."""

    to: int


@dataclass(frozen=True, slots=True)
class Sleep:
    r"""`\sleep`."""

    duration: str
    """A number, or `:` and the name of a variable."""
    unit_s: float
    offset: int


@dataclass(frozen=True, slots=True)
class Begin:
    """`BEGIN`."""

    offset: int


@dataclass(frozen=True, slots=True)
class End:
    """`COMMIT`, `END` or `ROLLBACK`."""

    commits: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Sql:
    r"""One SQL command: a statement, or several that are sent together (`\;`)."""

    statements: tuple[SqlTemplate, ...]
    offset: int
    stores: str | None = None
    """`gset` or `aset`: where the rows go."""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class PipelineStart:
    r"""`\startpipeline`."""

    offset: int


@dataclass(frozen=True, slots=True)
class Sync:
    r"""`\syncpipeline` or `\endpipeline`."""

    ends: bool
    offset: int


Command = Set | Branch | Jump | Sleep | Begin | End | Sql | PipelineStart | Sync
