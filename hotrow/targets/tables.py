"""The tables of a run: a schema for each way in which the knobs make them; observed, judged and dropped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.errors import HotrowError
from hotrow.receipts import check_receipts
from hotrow.rehearsal import blaming, statements, told
from hotrow.scenario import Verdict
from hotrow.targets.rehearsing import rehearse
from hotrow.targets.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotrow.rehearsal import Finding
    from hotrow.scenario import Scenario, State, Tally
    from hotrow.targets.session import Waiting
    from hotrow.targets.target import Target


@dataclass(slots=True)
class _Observed:
    """What was last read of one stage: what the next cell on it starts from."""

    state: State | None = None
    """None where it is not known."""
    receipts: int = 0


class Tables:
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
        self._stages: dict[tuple[str, ...], Stage] = {}
        self._of_cell = [self._stage_of(scenario, schema) for scenario in scenarios]
        self._observed = {stage.schema: _Observed() for stage in self._stages.values()}

    def _stage_of(self, scenario: Scenario, schema: str) -> Stage:
        made = (*statements(scenario, "tables"), *statements(scenario, "seed", self._keys))
        if made not in self._stages:
            number = len(self._stages)
            name = f"{schema}_{number}" if number else schema
            self._stages[made] = Stage(self._target, name, scenario, self._waiting, receipts=self._receipts)
        return self._stages[made]

    @property
    def schemas(self) -> tuple[str, ...]:
        """Where each cell's tables are."""
        return tuple(stage.schema for stage in self._of_cell)

    def build(self, *, progress: bool) -> None:
        """Make and fill all tables, and read what the checks start from.

        Raises:
            TargetError: the server refused; one line says what.
            UsageError: observe() raised; one line says why and where.
        """
        for stage in self._stages.values():
            stage.build(self._keys, progress=progress)
        for stage, scenario in zip(self._of_cell, self._scenarios, strict=True):
            observed = self._observed[stage.schema]
            if observed.state is None:
                with blaming(scenario, "observe"):
                    observed.state = stage.observe()

    def rehearse(self, seed: int) -> list[Finding]:
        """What `draw` says that `run` does not do, or does without saying, of every way to turn the knobs.

        Raises:
            HotrowError: a transaction of the scenario cannot run; one line says why.
        """
        turned = {str(scenario.knobs): place for place, scenario in enumerate(self._scenarios)}
        found = [
            rehearse(
                self._scenarios[place],
                self._target,
                self._of_cell[place].schema,
                self._waiting,
                keys=self._keys,
                seed=seed,
            )
            for place in turned.values()
        ]
        return list(dict.fromkeys(finding for findings in found for finding in findings))

    def judge(self, cell: int, tally: Tally) -> list[Verdict]:
        """The verdicts on a cell that has just ended, with no load running.

        Where a check or its reading raises, nothing is known, and its verdict is None.

        Raises:
            TargetError: the server refused or is gone.
        """
        stage, scenario = self._of_cell[cell], self._scenarios[cell]
        observed = self._observed[stage.schema]

        def check() -> Sequence[Verdict]:
            before, observed.state = observed.state, None
            observed.state = stage.observe()
            if before is None:
                raise LookupError("nothing is known of how this cell began, for the check before it failed")
            return scenario.check(before, observed.state, tally)

        verdicts = _or_unknown(scenario, check)
        if self._receipts:
            before, observed.receipts = observed.receipts, stage.count_receipts()
            verdicts.append(check_receipts(observed.receipts - before, tally))
        return verdicts

    def drop(self) -> None:
        """Remove them all. Raises TargetError where the server refuses or is gone."""
        for stage in self._stages.values():
            stage.drop()


def _or_unknown(scenario: Scenario, check: Callable[[], Sequence[Verdict]]) -> list[Verdict]:
    """What the check says; where it crashed, or said what cannot be written down, that nothing is known."""
    try:
        verdicts = list(check())
        json.dumps([verdict.as_json() for verdict in verdicts])
    except HotrowError:
        raise
    except Exception as error:  # noqa: BLE001 - a check that crashed has found nothing, not even that all is well
        return [Verdict(f"check of {scenario.name}", valid=None, details={"error": told(scenario, error)})]
    return verdicts
