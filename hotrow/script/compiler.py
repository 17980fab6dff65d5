"""Compiles the text of a script to commands, and refuses what it does not understand, with the place."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hotrow.script.commands import (
    Begin,
    Branch,
    Command,
    End,
    Jump,
    PipelineStart,
    Set,
    Sleep,
    Sql,
    Sync,
)
from hotrow.script.cutting import Part, Piece, cut
from hotrow.script.expression_parser import Call, parse_expression
from hotrow.script.expressions import compile_expression, variables_of
from hotrow.script.flow import check_flow
from hotrow.script.functions import FUNCTIONS
from hotrow.script.sql_template import SqlTemplate, read_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hotrow.script.expressions import Evaluate
    from hotrow.script.source_text import ScriptError, Source

_NAME = re.compile(r"\s*(?P<name>[^\W\d]\w*)")
_SLEEP = re.compile(r"\s*(?P<duration>\d+|:[^\W\d]\w*)\s*(?P<unit>\w*)\s*")
_PREFIX = re.compile(r"\s*(?P<prefix>\w*)\s*")
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}
_OPENING = {("BEGIN",), ("BEGIN", "WORK"), ("BEGIN", "TRANSACTION"), ("START", "TRANSACTION")}
_CLOSING = {
    (word, *more): word not in {"ROLLBACK", "ABORT"}
    for word in ("COMMIT", "END", "ROLLBACK", "ABORT")
    for more in ((), ("WORK",), ("TRANSACTION",))
}
_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"})
_NO_STATEMENTS = {
    "COPY": "COPY needs a client that sends or takes data; use INSERT or SELECT",
    "LISTEN": "notifications are not read",
    "VACUUM": "it cannot run inside a transaction; run it beforehand",
}


@dataclass(frozen=True, slots=True)
class Script:
    """A compiled script."""

    source: Source
    commands: tuple[Command, ...]
    starts: tuple[int, ...]
    """The positions of the commands that begin a transaction: BEGIN, or a statement outside of one."""
    blocks: Mapping[int, frozenset[int]]
    """By start: the positions of the commands that may run in that transaction."""
    reads: tuple[tuple[str, int], ...]
    """The variables that it reads as values, with their offsets."""

    @property
    def lone(self) -> tuple[int, ...]:
        """The starts that are no BEGIN: each is a transaction of its own."""
        return tuple(start for start in self.starts if not isinstance(self.commands[start], Begin))

    @property
    def random_names(self) -> tuple[str, ...]:
        """The variables that are set once, to a call of a random function: `--key` can name them."""
        sets = [command for command in self.commands if isinstance(command, Set)]
        times = Counter(command.name for command in sets)
        return tuple(command.name for command in sets if command.bounds and times[command.name] == 1)

    def is_set_by_random(self, name: str) -> bool:
        """Whether `--key` can name the variable."""
        return name in self.random_names

    def offset(self, start: int) -> int:
        """Where the transaction that begins at this command begins in the text."""
        command = self.commands[start]
        assert isinstance(command, Begin | Sql)  # noqa: S101 - nothing else begins a transaction
        return command.offset

    def statements_of(self, start: int) -> Iterator[SqlTemplate]:
        """The statements that may run in the transaction that begins at this command."""
        for position in self.blocks[start]:
            command = self.commands[position]
            if isinstance(command, Sql):
                yield from command.statements


@dataclass(slots=True)
class _Conditional:
    r"""An `\if` whose `\endif` has not come yet."""

    offset: int
    branch: int | None
    """The position of the last Branch, whose target is not known yet; None after `\\else`."""
    ends: list[int] = field(default_factory=list)
    """The positions of the Jumps to the end."""


def compile_script(source: Source) -> Script:
    """The script of a source.

    Raises:
        ScriptError: something in it is not understood or cannot run.
    """
    compiler = _Compiler(source)
    for piece in cut(source):
        compiler.add(piece)
    commands = compiler.finish()
    starts, blocks = check_flow(source, commands)
    if not starts:
        raise source.error(0, "the script has no SQL statement")
    return Script(source, commands, starts, blocks, tuple(compiler.reads))


class _Compiler:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.commands: list[Command] = []
        self.reads: list[tuple[str, int]] = []
        """The variables that are read, with their offsets."""
        self._open: list[_Conditional] = []

    def add(self, piece: Piece) -> None:
        """Append the commands of one piece."""
        if piece.word is None:
            self._add_sql(piece.parts)
            return
        handlers: Mapping[str, Callable[[Piece, int], None]] = {
            "set": self._add_set,
            "if": self._add_if,
            "elif": self._add_elif,
            "else": self._add_else,
            "endif": self._add_endif,
            "gset": self._add_stores,
            "aset": self._add_stores,
            "sleep": self._add_sleep,
            "startpipeline": self._add_pipeline,
            "syncpipeline": self._add_pipeline,
            "endpipeline": self._add_pipeline,
        }
        word = piece.word.lower()
        if word in {"shell", "setshell"}:
            raise self.source.error(
                piece.start,
                f"\\{word} is refused: a transaction that starts programs measures these programs",
            )
        if word not in handlers:
            known = ", ".join(f"\\{name}" for name in handlers)
            raise self.source.error(piece.start, f"unknown command \\{piece.word}; the commands are {known}")
        handlers[word](piece, piece.start + 1 + len(word))

    def finish(self) -> tuple[Command, ...]:
        """All commands."""
        if self._open:
            raise self.source.error(self._open[-1].offset, "this \\if has no \\endif")
        return tuple(self.commands)

    def _expression(self, start: int, piece: Piece) -> tuple[Evaluate, tuple[Evaluate, Evaluate] | None]:
        """The expression from `start` on; also the bounds of its range, if it is a random function."""
        node = parse_expression(self.source, start, piece.end)
        self.reads += [(variable.name, variable.offset) for variable in variables_of(node)]
        bounds: Any = None
        if isinstance(node, Call) and node.name in FUNCTIONS and FUNCTIONS[node.name].draws:
            least, most = (compile_expression(argument, self.source) for argument in node.arguments[:2])
            bounds = least, most
        return compile_expression(node, self.source), bounds

    def _add_set(self, piece: Piece, start: int) -> None:
        match = _NAME.match(self.source.text, start, piece.end)
        if match is None:
            raise self.source.error(
                piece.start, "\\set needs a name and an expression: \\set aid random(1, 10)"
            )
        evaluate, bounds = self._expression(match.end(), piece)
        self.commands.append(Set(match["name"], evaluate, match.start("name"), bounds))

    def _add_if(self, piece: Piece, start: int) -> None:
        self._open.append(_Conditional(piece.start, len(self.commands)))
        self.commands.append(Branch(self._expression(start, piece)[0], -1))

    def _close_branch(self, piece: Piece) -> _Conditional:
        """End the present branch with a jump, and let its condition go on here if it does not hold."""
        if not self._open:
            raise self.source.error(piece.start, f"\\{piece.word} without \\if")
        conditional = self._open[-1]
        if conditional.branch is None:
            raise self.source.error(piece.start, f"\\{piece.word} after \\else")
        conditional.ends.append(len(self.commands))
        self.commands.append(Jump(-1))
        self._land(conditional)
        return conditional

    def _land(self, conditional: _Conditional) -> None:
        if conditional.branch is not None:
            branch = self.commands[conditional.branch]
            assert isinstance(branch, Branch)  # noqa: S101 - only the positions of branches are kept
            self.commands[conditional.branch] = Branch(branch.condition, len(self.commands))

    def _add_elif(self, piece: Piece, start: int) -> None:
        conditional = self._close_branch(piece)
        conditional.branch = len(self.commands)
        self.commands.append(Branch(self._expression(start, piece)[0], -1))

    def _add_else(self, piece: Piece, start: int) -> None:
        self._nothing_after(piece, start)
        self._close_branch(piece).branch = None

    def _add_endif(self, piece: Piece, start: int) -> None:
        self._nothing_after(piece, start)
        if not self._open:
            raise self.source.error(piece.start, "\\endif without \\if")
        conditional = self._open.pop()
        self._land(conditional)
        for end in conditional.ends:
            self.commands[end] = Jump(len(self.commands))

    def _nothing_after(self, piece: Piece, start: int) -> None:
        rest = self.source.text[start : piece.end]
        if rest.strip():
            offset = start + len(rest) - len(rest.lstrip())
            raise self.source.error(offset, f"\\{piece.word} takes nothing after it")

    def _add_stores(self, piece: Piece, start: int) -> None:
        match = _PREFIX.fullmatch(self.source.text, start, piece.end)
        if match is None:
            raise self.source.error(start, f"\\{piece.word} takes a prefix for names of variables")
        last = self.commands[-1] if self.commands else None
        if not isinstance(last, Sql) or last.stores is not None:
            raise self.source.error(piece.start, f"\\{piece.word} must follow a SQL statement")
        self.commands[-1] = Sql(last.statements, last.offset, piece.word, match["prefix"])

    def _add_sleep(self, piece: Piece, start: int) -> None:
        match = _SLEEP.fullmatch(self.source.text, start, piece.end)
        unit = None if match is None else _UNITS_S.get(match["unit"].lower())
        if match is None or unit is None:
            raise self.source.error(piece.start, "\\sleep takes a number or a variable, and us, ms or s")
        if match["duration"].startswith(":"):
            self.reads.append((match["duration"][1:], match.start("duration")))
        self.commands.append(Sleep(match["duration"], unit, piece.start))

    def _add_pipeline(self, piece: Piece, start: int) -> None:
        self._nothing_after(piece, start)
        starts = piece.word == "startpipeline"
        command = PipelineStart(piece.start) if starts else Sync(piece.word == "endpipeline", piece.start)
        self.commands.append(command)

    def _add_sql(self, parts: tuple[Part, ...]) -> None:
        """One SQL command. BEGIN and COMMIT within joined statements become commands of their own."""
        together: list[SqlTemplate] = []
        for part in parts:
            template = read_template(self.source, part)
            control = self._control(template, part)
            if control is None:
                together.append(template)
                continue
            self._add_statements(together)
            together = []
            self.commands.append(control)
        self._add_statements(together)

    def _add_statements(self, statements: list[SqlTemplate]) -> None:
        if statements:
            for statement in statements:
                self.reads += [(each.name, each.offset) for each in statement.references if each.is_value]
            self.commands.append(Sql(tuple(statements), statements[0].offset))

    def _control(self, template: SqlTemplate, part: Part) -> Command | None:
        """The command for a statement that begins or ends a transaction; None for another statement."""
        words = template.words
        if words and words[0] in _NO_STATEMENTS:
            raise self.source.error(part.start, _NO_STATEMENTS[words[0]])
        if not words or words[0] not in _CONTROL | {"SET", "PREPARE"}:
            return None
        if words in _OPENING:
            return Begin(part.start)
        if words in _CLOSING:
            return End(_CLOSING[words], part.start)
        if words[0] == "ROLLBACK" and "TO" in words:
            return None
        raise_for = self._refusal(words, part)
        if raise_for is not None:
            raise raise_for
        return None

    def _refusal(self, words: tuple[str, ...], part: Part) -> ScriptError | None:
        """The refusal of a statement about transactions that hotrow cannot run as it stands."""
        if words[0] in {"BEGIN", "START"} or "TRANSACTION" in words[:3] or "CHARACTERISTICS" in words[:4]:
            if words[0] == "PREPARE" or "PREPARED" in words:
                return self.source.error(part.start, "two-phase commit is not supported")
            return self.source.error(
                part.start,
                "the target sets the isolation level (-H …?isolation=…): leave it out of the script",
            )
        if words[0] in _CONTROL:
            return self.source.error(part.start, f"write {words[0]} without more words")
        return None


def refuse_unset(script: Script, given: frozenset[str]) -> None:
    r"""Refuse a variable that nothing sets. The names that `\gset` and `\aset` set are not known.

    Args:
        script: the script.
        given: the variables that have values before it starts.

    Raises:
        ScriptError: there is one; the message says where.
    """
    if any(isinstance(command, Sql) and command.stores for command in script.commands):
        return
    known = given | {command.name for command in script.commands if isinstance(command, Set)}
    for name, offset in script.reads:
        if name not in known:
            hint = f"set it, or pass --define {name}=VALUE"
            raise script.source.error(offset, f"variable {name} is not set; {hint}")
