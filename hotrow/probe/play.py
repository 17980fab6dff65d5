"""Runs one probe on one target and compares every answer with Aurora DSQL's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.probe.notation import ANY_ROWS, Step
from hotrow.probe.sessions import NO_ROWS, Answer, AnswerType, SilentError, playground

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.probe.notation import Probe
    from hotrow.probe.sessions import ProbeSession
    from hotrow.targets.target import Target

DEADLINE_S = 3.0
"""A step without an answer after this time waits for another session. One with 3,000 rows takes up to 2 s."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One step and the target's answer; None if the probe ended before this step."""

    step: Step
    answer: Answer | None

    @property
    def holds(self) -> bool:
        """Whether the answer is one of Aurora DSQL's."""
        if self.answer is None:
            return False
        rows = self.answer.type is AnswerType.ROWS and self.answer.text != NO_ROWS
        return self.answer.text in self.step.expected or (rows and ANY_ROWS in self.step.expected)


@dataclass(frozen=True, slots=True)
class Played:
    """The result of one probe on one target."""

    probe: Probe
    observed: tuple[Observed, ...]
    refused: str = ""
    """Why the set-up failed; empty if it succeeded."""

    @property
    def difference(self) -> Observed | None:
        """The first step with an answer that is not Aurora DSQL's."""
        return next((observed for observed in self.observed if not observed.holds), None)

    @property
    def lacks(self) -> str | None:
        """The answer that at least one step had to get, if no step got it."""
        answers = {observed.answer.text for observed in self.observed if observed.answer}
        return self.probe.some if self.probe.some not in {None, *answers} else None

    @property
    def holds(self) -> bool:
        """Whether the target behaves as Aurora DSQL does."""
        return not self.refused and self.difference is None and self.lacks is None


def play(probe: Probe, target: Target, deadline_s: float = DEADLINE_S) -> Played:
    """Run the steps in order, each after the answer to the last.

    A step that waits, or a broken connection, ends the probe: a waiting statement is cancelled, transactions
    are rolled back and the tables dropped. An error of a step does not end the probe.

    Raises:
        SilentError: the server did not answer a statement of the set-up, so no other probe can run.
    """
    try:
        with playground(target, probe.setup, probe.sessions, deadline_s) as sessions:
            observed = tuple(_observe(probe.steps, sessions))
    except SilentError:
        raise
    except TargetError as error:
        return Played(probe, tuple(Observed(step, None) for step in probe.steps), str(error))
    return Played(probe, observed)


def _observe(steps: Sequence[Step], sessions: Mapping[str, ProbeSession]) -> Iterator[Observed]:
    ended = False
    for step in steps:
        answer = None if ended else sessions[step.session].answer(step.sql)
        ended = answer is None or answer.type in (AnswerType.WAITS, AnswerType.LOST)
        yield Observed(step, answer)
