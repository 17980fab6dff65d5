"""The tables of a run: one schema per different set of tables; read, judged and dropped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hotrow.attempt.receipts import check_receipts
from hotrow.errors import UsageError
from hotrow.scenario import AppScenario
from hotrow.scenario.calling import method_errors, statements
from hotrow.scenario.slow import warn_while_slow
from hotrow.scenario.verdicts import nothing_acknowledged, refuse_false_alarms, run_check, undecided
from hotrow.tables.app_rehearsal import rehearse_app
from hotrow.tables.rehearsal import rehearse
from hotrow.tables.run_schema import RunSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hotrow.finding import Finding
    from hotrow.scenario import Scenario, State, Tally, Verdict
    from hotrow.targets.session import Waiting
    from hotrow.targets.target import Target


@dataclass(slots=True)
class _LastState:
    """The state that was last read from a schema, and the scenario that read it."""

    by: Scenario | None = None
    """None if the state is not known."""
    state: State | None = None
    receipts: int = 0

    def is_of(self, scenario: Scenario) -> bool:
        """Whether a scenario with the same knobs read it, because `observe` may depend on the knobs."""
        return self.by is not None and (type(self.by), self.by.knobs) == (type(scenario), scenario.knobs)

    def forget(self) -> None:
        """Let the next cell read the state again."""
        self.by = self.state = None


class RunTables:
    """The schemas of a run. Cells whose scenarios create and fill the same tables share a schema.

    Checks compare the end of a cell with its beginning, so only what `Scenario.reset` puts back is reset
    between cells.
    """

    def __init__(
        self,
        target: Target,
        schema: str,
        scenarios: Sequence[Scenario],
        waiting: Waiting,
        *,
        keys: int,
        receipts: bool,
    ) -> None:
        self._target, self._waiting, self._keys, self._receipts = target, waiting, keys, receipts
        self._scenarios = scenarios
        self._resets = [statements(scenario, "reset", keys) for scenario in scenarios]
        self._schemas: dict[tuple[str, ...], RunSchema] = {}
        self._schema_of_cell = [self._schema_of(scenario, schema) for scenario in scenarios]
        self._last_states = {run_schema.schema: _LastState() for run_schema in self._schemas.values()}

    def _schema_of(self, scenario: Scenario, schema: str) -> RunSchema:
        texts = (*statements(scenario, "tables"), *statements(scenario, "seed", self._keys))
        existing = scenario.existing_schema
        if existing and self._receipts:
            raise UsageError(
                f"--receipts: needs a table of its own, and nothing is added to --schema {existing};"
                " leave out one of the two"
            )
        if (existing, *texts) not in self._schemas:
            number = len(self._schemas)
            name = existing or (f"{schema}_{number}" if number else schema)
            self._schemas[existing, *texts] = RunSchema(
                self._target, name, scenario, self._waiting, receipts=self._receipts
            )
        return self._schemas[existing, *texts]

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schema of each cell."""
        return tuple(run_schema.schema for run_schema in self._schema_of_cell)

    def add(self, like: int) -> None:
        """Add a cell with the scenario and the tables of this one, after the last cell."""
        self._scenarios = [*self._scenarios, self._scenarios[like]]
        self._resets.append(self._resets[like])
        self._schema_of_cell.append(self._schema_of_cell[like])

    def build(self, *, progress: bool) -> None:
        """Create and fill all tables, and read the states from which the checks start.

        Raises:
            TargetError: the server refused a statement, which the message names.
            UsageError: observe() raised; one line has the reason and the location.
        """
        for run_schema in self._schemas.values():
            run_schema.build(self._keys, progress=progress)
        for cell in self._cells_with_different_knobs():
            self._observe(cell)

    def prepare(self, cell: int) -> None:
        """Reset the tables and read the state from which the cell's check starts, just before the cell opens.

        If nothing is reset and its scenario read the state at the end of the last cell, it is not read again.

        Raises:
            TargetError: the server refused or was not reached.
        """
        if self._resets[cell]:
            self._schema_of_cell[cell].reset(self._resets[cell])
            self._last_state(cell).forget()
        if not self._last_state(cell).is_of(self._scenarios[cell]):
            with suppress(UsageError):  # the verdict will say that the state at the beginning is not known
                self._observe(cell)

    def _last_state(self, cell: int) -> _LastState:
        return self._last_states[self._schema_of_cell[cell].schema]

    def _observe(self, cell: int) -> State:
        """Read the state with the cell's scenario, and keep it for the next cell.

        Raises:
            TargetError: the server refused or was not reached.
            UsageError: observe() raised, or returned no valid state; one line has the reason.
        """
        run_schema, scenario, observed = (
            self._schema_of_cell[cell],
            self._scenarios[cell],
            self._last_state(cell),
        )
        observed.forget()
        if self._receipts:
            observed.receipts = run_schema.count_receipts()
        with method_errors(scenario, "observe"), warn_while_slow(scenario, "observe()"):
            observed.state = _checked(run_schema.observe(scenario))
        observed.by = scenario
        return observed.state

    def _cells_with_different_knobs(self) -> Iterable[int]:
        """One cell per different set of knobs."""
        return {str(scenario.knobs): cell for cell, scenario in enumerate(self._scenarios)}.values()

    def rehearse(self, seed: int) -> list[Finding]:
        """The findings of a rehearsal with each set of knobs, for example undeclared writes of `run`.

        Raises:
            HotrowError: a transaction of the scenario cannot run, or its check reports a violation although
                nothing was changed; one line has the reason.
        """
        rehearsals = [self._rehearse(cell, seed) for cell in self._cells_with_different_knobs()]
        return list(dict.fromkeys(finding for findings in rehearsals for finding in findings))

    def _rehearse(self, cell: int, seed: int) -> list[Finding]:
        scenario, schema = self._scenarios[cell], self._schema_of_cell[cell].schema
        self.prepare(cell)
        before = self._last_state(cell).state
        settings = (self._target, schema, self._waiting)
        if isinstance(scenario, AppScenario):
            findings, tally = rehearse_app(scenario, *settings, keys=self._keys, seed=seed)
        else:
            findings = rehearse(scenario, *settings, keys=self._keys, seed=seed)
            tally = nothing_acknowledged(scenario)
        if before is not None:
            with warn_while_slow(scenario, "check()"):
                refuse_false_alarms(scenario, before, self._observe(cell), tally)
        return findings

    def judge(self, cell: int, tally: Tally, *, records_lost: bool = False) -> list[Verdict]:
        """The verdicts on a cell that has just ended, without load.

        If a check or its reading raises, the verdict is None: unknown. If records of attempts may be missing
        (`records_lost`), so is every verdict that depends on their number.

        Raises:
            TargetError: the server refused or was not reached.
        """
        scenario, observed = self._scenarios[cell], self._last_state(cell)
        before = observed.state if observed.is_of(scenario) else None
        receipts = observed.receipts
        try:
            after = self._observe(cell)
        except UsageError as error:
            verdicts = [undecided(scenario, str(error))]
        else:
            verdicts = _compare(scenario, before, after, tally, records_lost=records_lost)
        if self._receipts:
            counted = replace(tally, complete=not records_lost)
            verdicts.append(check_receipts(observed.receipts - receipts, counted))
        if records_lost or tally.unknown:
            observed.forget()  # a COMMIT in doubt may take effect after the reading
        return verdicts

    def drop(self) -> None:
        """Drop all schemas.

        Raises:
            TargetError: the server refused or was not reached.
        """
        for run_schema in self._schemas.values():
            run_schema.drop()


def _compare(
    scenario: Scenario, before: State | None, after: State, tally: Tally, *, records_lost: bool
) -> list[Verdict]:
    """The verdicts of the check, which gets copies of the states: it cannot change them for the next cell."""
    if before is None:
        return [
            undecided(scenario, "the state at the beginning of this cell is not known: it could not be read")
        ]
    with warn_while_slow(scenario, "check()"):
        return run_check(
            scenario,
            lambda tally: scenario.check(deepcopy(before), deepcopy(after), tally),
            tally,
            records_lost=records_lost,
        )


def _checked(state: object) -> State:
    """A copy of the state that `observe` returned.

    Raises:
        TypeError: it is not a mapping, or cannot be copied.
        ValueError: it contains NaN.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"returned a {type(state).__name__}; return a dict of what check() needs")
    if _has_nan(state):
        raise ValueError("returned NaN, which is never equal to what it was; return a number or None")
    return deepcopy(state)  # a cursor or a generator cannot be copied


def _has_nan(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_nan, value))
    return isinstance(value, float | Decimal) and math.isnan(value)
