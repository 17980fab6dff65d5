"""The tables of a run: a schema for each way in which the knobs make them; observed, judged and dropped."""

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
from hotrow.scenario.calling import method_errors, statements
from hotrow.scenario.slow import warn_while_slow
from hotrow.scenario.verdicts import refuse_false_alarms, run_check, undecided
from hotrow.tables.rehearsal import rehearse
from hotrow.tables.run_schema import RunSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hotrow.finding import Finding
    from hotrow.scenario import Scenario, State, Tally, Verdict
    from hotrow.targets.session import Waiting
    from hotrow.targets.target import Target


@dataclass(slots=True)
class _Observed:
    """What was last read of one run_schema, by whom: what the next cell on it starts from."""

    by: Scenario | None = None
    """None where nothing is known."""
    state: State | None = None
    receipts: int = 0

    def is_of(self, scenario: Scenario) -> bool:
        """Whether an equal scenario read it: `observe` may go by its knobs, as `check` does."""
        return self.by is not None and (type(self.by), self.by.knobs) == (type(scenario), scenario.knobs)

    def forget(self) -> None:
        """Have the next cell start from what is read anew."""
        self.by = self.state = None


class RunTables:
    """The stages of a run. Cells share one where their scenarios make and fill the same tables.

    Checks compare a cell's end with its beginning, so nothing is reset between cells.
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
        self._schemas: dict[tuple[str, ...], RunSchema] = {}
        self._of_cell = [self._schema_of(scenario, schema) for scenario in scenarios]
        self._observed = {run_schema.schema: _Observed() for run_schema in self._schemas.values()}

    def _schema_of(self, scenario: Scenario, schema: str) -> RunSchema:
        made = (*statements(scenario, "tables"), *statements(scenario, "seed", self._keys))
        if made not in self._schemas:
            number = len(self._schemas)
            name = f"{schema}_{number}" if number else schema
            self._schemas[made] = RunSchema(
                self._target, name, scenario, self._waiting, receipts=self._receipts
            )
        return self._schemas[made]

    @property
    def schemas(self) -> tuple[str, ...]:
        """Where each cell's tables are."""
        return tuple(run_schema.schema for run_schema in self._of_cell)

    def build(self, *, progress: bool) -> None:
        """Make and fill all tables, and read what the checks start from.

        Raises:
            TargetError: the server refused; one line says what.
            UsageError: observe() raised; one line says why and where.
        """
        for run_schema in self._schemas.values():
            run_schema.build(self._keys, progress=progress)
        for cell in self._differently_turned():
            self._observe(cell)

    def prepare(self, cell: int) -> None:
        """Read what the cell's check starts from, with no load running, just before it opens.

        What its own scenario read at the end of the cell before is still so and not read again.

        Raises:
            TargetError: the server refused or is gone.
        """
        if not self._observed_at(cell).is_of(self._scenarios[cell]):
            with suppress(UsageError):  # the verdict will say that nothing is known of the beginning
                self._observe(cell)

    def _observed_at(self, cell: int) -> _Observed:
        return self._observed[self._of_cell[cell].schema]

    def _observe(self, cell: int) -> State:
        """What the cell's own scenario reads now, kept for the next cell.

        Raises:
            TargetError: the server refused or is gone.
            UsageError: observe() raised, or what it read cannot be; one line says why and where.
        """
        run_schema, scenario, observed = self._of_cell[cell], self._scenarios[cell], self._observed_at(cell)
        observed.forget()
        if self._receipts:
            observed.receipts = run_schema.count_receipts()
        with method_errors(scenario, "observe"), warn_while_slow(scenario, "observe()"):
            observed.state = _checked(run_schema.observe(scenario))
        observed.by = scenario
        return observed.state

    def _differently_turned(self) -> Iterable[int]:
        """A cell for each way in which the knobs are turned."""
        return {str(scenario.knobs): cell for cell, scenario in enumerate(self._scenarios)}.values()

    def rehearse(self, seed: int) -> list[Finding]:
        """What `draw` says that `run` does not do, or does without saying, of every way to turn the knobs.

        Raises:
            HotrowError: a transaction of the scenario cannot run, or its check finds something wrong though
                nothing was done; one line says why.
        """
        found = [self._rehearse(cell, seed) for cell in self._differently_turned()]
        return list(dict.fromkeys(finding for findings in found for finding in findings))

    def _rehearse(self, cell: int, seed: int) -> list[Finding]:
        scenario, schema = self._scenarios[cell], self._of_cell[cell].schema
        self.prepare(cell)
        before = self._observed_at(cell).state
        found = rehearse(scenario, self._target, schema, self._waiting, keys=self._keys, seed=seed)
        if before is not None:
            with warn_while_slow(scenario, "check()"):
                refuse_false_alarms(scenario, before, self._observe(cell))
        return found

    def judge(self, cell: int, tally: Tally, *, records_lost: bool = False) -> list[Verdict]:
        """The verdicts on a cell that has just ended, with no load running.

        Where a check or its reading raises, nothing is known, and its verdict is None. The same holds, if
        records of attempts may be missing (`records_lost`), for every verdict that rests on their number.

        Raises:
            TargetError: the server refused or is gone.
        """
        scenario, observed = self._scenarios[cell], self._observed_at(cell)
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
            observed.forget()  # a COMMIT in doubt may have come after that reading
        return verdicts

    def drop(self) -> None:
        """Remove them all. Raises TargetError where the server refuses or is gone."""
        for run_schema in self._schemas.values():
            run_schema.drop()


def _compare(
    scenario: Scenario, before: State | None, after: State, tally: Tally, *, records_lost: bool
) -> list[Verdict]:
    """What the check says of copies: whatever it does to them, the next cell starts from what was read."""
    if before is None:
        return [undecided(scenario, "nothing is known of how this cell began: it could not be read")]
    with warn_while_slow(scenario, "check()"):
        return run_check(
            scenario,
            lambda tally: scenario.check(deepcopy(before), deepcopy(after), tally),
            tally,
            records_lost=records_lost,
        )


def _checked(state: object) -> State:
    """What `observe` returned, if it is values that stay as they are.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"returned a {type(state).__name__}; return a dict of what check() needs")
    if _has_nan(state):
        raise ValueError("returned NaN, which is never equal to what it was; return a number or None")
    return deepcopy(state)  # which a cursor or a generator does not allow


def _has_nan(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_nan, value))
    return isinstance(value, float | Decimal) and math.isnan(value)
