"""One execution of a script: its position, variables and generator, and how it runs a transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hotrow.errors import Rejected
from hotrow.script.commands import Begin, Branch, Command, End, Jump, PipelineStart, Set, Sleep, Sql, Sync
from hotrow.script.prng import Prng
from hotrow.script.values import EvaluationError, is_true, to_int, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.scenario import Result, Session
    from hotrow.script.compiler import Script
    from hotrow.script.sql_template import SqlTemplate

_MAX_SLEEP_S = 86_400.0


@dataclass(slots=True)
class Execution:
    """An execution of a script. One that is kept as the start of a transaction is only copied, never run."""

    script: Script
    variables: dict[str, Any]
    prng: Prng
    drawn: Mapping[str, int] = field(default_factory=dict)
    """The key ids of the variables that `--key` names."""
    keys: int = 1
    """The number of keys."""
    position: int = 0
    pipelining: bool = False
    _waiting: list[tuple[SqlTemplate, str, Sequence[Any]]] = field(default_factory=list)
    """Statements of a pipeline that are not sent yet."""

    def copy(self) -> Execution:
        """The same execution, to run on by itself."""
        return Execution(
            self.script,
            dict(self.variables),
            Prng(self.prng.state),
            self.drawn,
            self.keys,
            self.position,
            self.pipelining,
        )

    def advance(self) -> tuple[bool, float]:
        """Go on to the next transaction. Returns whether there is one, and the seconds to wait before it.

        Raises:
            ScriptError: an expression has no value.
        """
        commands, sleep_s = self.script.commands, 0.0
        while self.position < len(commands):
            command = commands[self.position]
            if isinstance(command, Begin | Sql):
                return True, sleep_s
            if isinstance(command, Sleep):
                sleep_s += self._duration_s(command)
                self.position += 1
            elif isinstance(command, Sync):
                self.pipelining = not command.ends
                self.position += 1
            else:
                self._step(command)
        return False, sleep_s

    def run(self, session: Session) -> None:
        r"""Run the transaction at the present position, and stop after it.

        Raises:
            Rejected: the script rolled the transaction back.
            ScriptError: an expression has no value, or `\gset` did not get one row.
            Exception: the driver's error.
        """
        commands = self.script.commands
        is_explicit = isinstance(commands[self.position], Begin)
        self.position += is_explicit
        while True:
            command = commands[self.position]
            if isinstance(command, Sql):
                self.position += 1
                self._execute(session, command)
                if not (is_explicit or self.pipelining):
                    return
            elif isinstance(command, End):
                self.position += 1
                self._send_waiting(session)
                if not command.commits:
                    raise Rejected("the script rolled back")
                return
            elif isinstance(command, Sync):
                self.position += 1
                self.pipelining = not command.ends
                self._send_waiting(session)
                if not is_explicit:
                    return
            elif isinstance(command, Sleep):
                self.position += 1
                session.think(self._duration_s(command))
            else:
                self._step(command)

    def _step(self, command: Command) -> None:
        """Run a command that needs no session."""
        match command:
            case Set():
                self.variables[command.name] = self._value(command)
                self.position += 1
            case Branch():
                holds = is_true(command.condition(self))
                self.position = self.position + 1 if holds else command.otherwise
            case Jump():
                self.position = command.to
            case PipelineStart():
                self.pipelining = True
                self.position += 1
            case _:
                raise AssertionError(f"{command} where no transaction is open")

    def _value(self, command: Set) -> Any:
        r"""The value of `\set`: of the expression, or of the key if `--key` names the variable."""
        key = self.drawn.get(command.name)
        if key is None or command.bounds is None:
            return command.evaluate(self)
        try:
            least, most = (to_int(bound(self)) for bound in command.bounds)
        except EvaluationError as error:
            raise self.script.source.error(command.offset, str(error)) from None
        size = most - least + 1
        if size < self.keys:
            raise self.script.source.error(
                command.offset, f"{command.name} has {max(size, 0)} values, fewer than --keys {self.keys}"
            )
        return least + key * size // self.keys

    def _duration_s(self, command: Sleep) -> float:
        text = command.duration
        try:
            value = to_int(value_of(self.variables[text[1:]])) if text.startswith(":") else int(text)
        except KeyError:
            raise self.script.source.error(command.offset, f"variable {text[1:]} is not set") from None
        except EvaluationError as error:
            raise self.script.source.error(command.offset, str(error)) from None
        return min(max(value * command.unit_s, 0.0), _MAX_SLEEP_S)

    def _execute(self, session: Session, command: Sql) -> None:
        r"""Run or queue the statements of one command, and store what its `\gset` or `\aset` asks for."""
        statements = command.statements
        if not self.pipelining and len(statements) == 1 and statements[0].is_fixed:
            text, values = statements[0].bind(self.variables)
            results = [session.execute(text, *values)]
        else:
            self._waiting += [(each, *_bound(each, self.variables)) for each in statements]
            if self.pipelining:
                return
            results = self._send_waiting(session)
        if command.stores == "gset":
            self._store(command, results[-1])
        elif command.stores == "aset":
            for result in results:
                if result.rows:
                    self._keep(command.prefix, result)

    def _send_waiting(self, session: Session) -> list[Result]:
        """Send everything that waits; statements that can be prepared go together in one round trip."""
        waiting, self._waiting = self._waiting, []
        send = getattr(session, "execute_together", None)
        if not waiting:
            return []
        if send is None:  # a session that watches each statement by itself
            return [session.execute(text, *values) for _, text, values in waiting]
        return list(send([(text, values, template.is_fixed) for template, text, values in waiting]))

    def _store(self, command: Sql, result: Result) -> None:
        if len(result.rows) != 1:
            message = f"\\gset needs one row, and the statement returned {len(result.rows)}"
            raise self.script.source.error(command.offset, message)
        self._keep(command.prefix, result)

    def _keep(self, prefix: str, result: Result) -> None:
        for name, value in zip(result.columns, result.rows[-1], strict=True):
            self.variables[prefix + name] = value


def _bound(template: SqlTemplate, variables: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """The text to send and its parameters: none if the text has to hold the values."""
    return template.bind(variables) if template.is_fixed else (template.write(variables), ())
