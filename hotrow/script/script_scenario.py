"""The scenario that runs scripts: it draws one by weight, and runs its transactions one after another."""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

from hotrow.errors import UsageError
from hotrow.finding import Finding
from hotrow.knob import Whole
from hotrow.scenario import Keys, Scenario, Session, State, Tally, Verdict, Work
from hotrow.script.compiler import refuse_unset
from hotrow.script.execution import Execution
from hotrow.script.prng import Prng
from hotrow.script.script_knobs import DEFINE, KEY, SCHEMA, defined, names_of
from hotrow.script.values import EvaluationError, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from hotrow.script.compiler import Script
    from hotrow.script.script_checks import ScriptCheck
    from hotrow.script.script_tables import ScriptTables

_DEFAULT_SEED = 0x5DEECE66D
"""The same for every run, so that `hash` and `permute` scatter keys in the same way."""
_MAX_EMPTY = 1000
_WRITES = re.compile(
    r"\b(?:UPDATE|DELETE|MERGE)\b|\bON\s+CONFLICT\b|\bFOR\s+(?:KEY\s+)?SHARE\b", re.IGNORECASE
)
"""Statements that change or lock rows which others may write too. A plain INSERT makes a row of its own."""
_FINDINGS = {
    "writes_undeclared": (
        "draw() did not declare a write",
        "--key does not cover a write",
        "transactions share this row at every skew, so expected conflicts are too few",
    ),
    "writes_not_made": (
        "draw() declared more writes than run() made",
        "--key names more rows than were written",
        "expected conflicts are too many; name only variables that choose a row which is written",
    ),
    "not_rehearsed": ("", "", "check yourself that --key covers the rows that it writes or locks"),
}
"""By code of a finding: a part of its message, the words for a script in its place, and the advice."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """A script, its name in the report, and its weight among the scripts of a run."""

    name: str
    script: Script
    weight: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of its transactions: its own, or with the lines on which they begin."""
        script = self.script
        if len(script.starts) == 1:
            return (self.name,)
        lines = [script.source.line(script.offset(start)) for start in script.starts]
        if len(set(lines)) < len(lines):
            return tuple(f"{self.name}:{line}:{number}" for number, line in enumerate(lines, 1))
        return tuple(f"{self.name}:{line}" for line in lines)


class ScriptScenario(Scenario):
    """Run a script of pgbench's language."""

    key = KEY
    schema = SCHEMA
    scale = Whole(1, "value of :scale; for built-in scripts the number of branches", least=1, most=100_000)
    define = DEFINE
    scripts: ClassVar[tuple[Weighted, ...]]
    made: ClassVar[ScriptTables]
    """The tables of the run, unless it uses an existing schema."""
    checks: ClassVar[tuple[ScriptCheck, ...]] = ()

    def __init__(self, **knobs: object) -> None:
        """Check that `--key` names variables that a random function sets.

        Raises:
            UsageError: it does not, or a knob is not valid.
        """
        super().__init__(**knobs)
        for name in self._names:
            if not any(weighted.script.is_set_by_random(name) for weighted in self.scripts):
                known = sorted({each for weighted in self.scripts for each in weighted.script.random_names})
                raise UsageError(
                    f"--key {name}: must be set once, to a random function and nothing else,"
                    f" as in \\set aid random(1, 1000); {', '.join(known) or 'no variable'} can be named"
                )
        self._variables: dict[str, Any] = {}
        """The variables at the end of the last execution: as in pgbench, the next one starts with them."""
        self._running: Execution | None = None
        self._owed_s = 0.0
        """Sleep after the last transaction of an execution, which the next one waits for."""

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return names_of(self.key)

    @cached_property
    def _given(self) -> Mapping[str, Any]:
        """The variables that have values before a script starts. Refuses a script that reads another one."""
        given = {
            "client_id": self.user,
            "default_seed": _DEFAULT_SEED,
            "random_seed": 0,
            "scale": self.scale,
            **{name: _read(text) for name, text in defined(self.define).items()},
        }
        for weighted in self.scripts:
            refuse_unset(weighted.script, frozenset(given))
        return given

    @cached_property
    def _kinds(self) -> Mapping[tuple[int, int], int]:
        """By script and position: the kind of the transaction that begins there."""
        places = [(id(each.script), start) for each in self.scripts for start in each.script.starts]
        return {place: kind for kind, place in enumerate(places)}

    @cached_property
    def _written(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """By script and position: the variables of `--key` that name rows which the transaction writes."""
        return {
            (id(each.script), start): tuple(_keys_written(each.script, start, self._names))
            for each in self.scripts
            for start in each.script.starts
        }

    @cached_property
    def _weights(self) -> list[int]:
        return list(accumulate(weighted.weight for weighted in self.scripts))

    @property
    def keys_per_transaction(self) -> int:
        """The number of variables that `--key` names."""
        return max(len(self._names), 1)

    @property
    def existing_schema(self) -> str:
        """That of `--schema`."""
        return str(self.schema)

    @property
    def is_one_transaction(self) -> bool:
        """Whether each script is a single transaction."""
        return all(len(weighted.script.starts) == 1 for weighted in self.scripts)

    def tables(self) -> Sequence[str]:
        """The statements that create the tables; none for an existing schema."""
        if self.schema:
            return []
        return self.made.create(self._given)

    def seed(self, keys: int) -> Sequence[str]:
        """The statements that fill the tables; none for an existing schema."""
        if self.schema:
            return []
        return self.made.fill({**self._given, "keys": keys})

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose a script and run it up to its first transaction."""
        given, bits = self._given, rng.bit_generator
        for _ in range(_MAX_EMPTY):
            chosen = bisect(self._weights, rng.random() * self._weights[-1]) if len(self.scripts) > 1 else 0
            drawn = keys.draw(len(self._names)) if self._names else ()
            execution = Execution(
                self.scripts[chosen].script,
                {**given, **self._variables},
                Prng((bits.random_raw(), bits.random_raw())),
                dict(zip(self._names, drawn, strict=True)),
                keys.count,
            )
            work = self._next(execution)
            if work is not None:
                return work
        raise UsageError(f"cannot run {self.name}: no statement was reached in {_MAX_EMPTY} executions")

    def _next(self, execution: Execution) -> Work | None:
        """The next transaction of an execution; None at its end."""
        is_there, sleep_s = execution.advance()
        self._owed_s += sleep_s
        if not is_there:
            self._variables = execution.variables
            return None
        pause_s, self._owed_s = self._owed_s, 0.0
        place = (id(execution.script), execution.position)
        writes = tuple(execution.drawn[name] for name in self._written[place])
        return Work((execution,), writes, self._kinds[place] if self.kinds else 0, pause_s)

    def run(self, session: Session, work: Work) -> None:
        """Run one transaction, on a copy: a retry starts with the same variables and random numbers."""
        (execution,) = work.parameters
        self._running = execution.copy()
        self._running.run(session)

    def follow(self) -> Work | None:
        """The next transaction of the same execution."""
        assert self._running is not None  # noqa: S101 - it is called after run()
        return self._next(self._running)

    def observe(self, session: Session) -> State:
        """The rows of all checks."""
        return {str(number): check.observe(session) for number, check in enumerate(self.checks)}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """The verdicts of all checks."""
        return [
            check.judge(before[str(number)], after[str(number)], tally, self.kinds)
            for number, check in enumerate(self.checks)
        ]

    def notes(self) -> Sequence[Finding]:
        """What the script leaves open: no key, statements outside of transactions, no check."""
        return list(self._notes())

    def _notes(self) -> Iterator[Finding]:
        if not self._names:
            names = sorted({name for weighted in self.scripts for name in weighted.script.random_names})
            yield Finding(
                "no_key_named",
                f"{self.name}: no key was named, so --skew changes nothing, and hot keys and the closed form"
                " are not known",
                f"name the variable that chooses the row: --key {' or '.join(names) or 'aid'}",
            )
        lone = sum(len(weighted.script.lone) for weighted in self.scripts)
        if lone:
            yield Finding(
                "statement_transactions",
                f"{self.name}: {lone} of its statements stand outside of BEGIN … COMMIT: each is a"
                " transaction of its own",
                "put BEGIN and COMMIT around the statements that belong together",
            )
        if not self.checks:
            yield Finding(
                "no_check",
                f"{self.name}: no check file, so nobody knows whether the data is right",
                "write what must hold as SQL that returns violations, in NAME.check.sql beside the script",
            )

    def explain(self, finding: Finding) -> Finding:
        """Say what a finding means for a script, which has `--key` in place of a declaration in `draw()`."""
        if finding.code not in _FINDINGS:
            return finding
        theirs, ours, advice = _FINDINGS[finding.code]
        return replace(finding, message=finding.message.replace(theirs, ours), advice=advice)


def _read(text: str) -> Any:
    """The value of `--define`: a number, a boolean or NULL if it is one, else the text itself."""
    try:
        return value_of(text)
    except EvaluationError:
        return text


def _keys_written(script: Script, start: int, names: Sequence[str]) -> Iterator[str]:
    statements = list(script.statements_of(start))
    for name in names:
        if any(_WRITES.search(each.text) and name in each.names for each in statements):
            yield name
