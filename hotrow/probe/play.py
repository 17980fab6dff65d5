"""Plays one probe on one target and compares every answer with Aurora DSQL's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.errors import TargetError
from hotrow.probe.notation import ANY_ROWS, Step
from hotrow.probe.sessions import NO_ROWS, Answer, Kind, SilentError, playground

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hotrow.probe.notation import Probe
    from hotrow.probe.sessions import ProbeSession
    from hotrow.targets.target import Target

DEADLINE_S = 3.0
"""A step that is not answered by then waits for another session; 3,000 rows in one take up to two seconds."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One step and what the target answered; None where the probe had ended before it."""

    step: Step
    answer: Answer | None

    @property
    def holds(self) -> bool:
        """Whether this is one of Aurora DSQL's answers."""
        if self.answer is None:
            return False
        rows = self.answer.kind is Kind.ROWS and self.answer.text != NO_ROWS
        return self.answer.text in self.step.expected or (rows and ANY_ROWS in self.step.expected)


@dataclass(frozen=True, slots=True)
class Played:
    """A probe as one target played it."""

    probe: Probe
    observed: tuple[Observed, ...]
    refused: str = ""
    """Why the set-up could not be made; empty where it was."""

    @property
    def difference(self) -> Observed | None:
        """The first step that was not answered as Aurora DSQL answers it."""
        return next((observed for observed in self.observed if not observed.holds), None)

    @property
    def lacks(self) -> str | None:
        """The answer that some step had to get and none got."""
        answers = {observed.answer.text for observed in self.observed if observed.answer}
        return self.probe.some if self.probe.some not in {None, *answers} else None

    @property
    def holds(self) -> bool:
        """Whether the target does what Aurora DSQL does."""
        return not self.refused and self.difference is None and self.lacks is None


def play(probe: Probe, target: Target, deadline_s: float = DEADLINE_S) -> Played:
    """Play every step in its order, each answered before the next is sent.

    A step that waits, or a connection that breaks, ends the probe: what waits is cancelled, everything is
    rolled back and dropped. A step's error does not end it.

    Raises:
        SilentError: the server gave no answer to a statement of the set-up, so no other probe can be played.
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
        ended = answer is None or answer.kind in (Kind.WAITS, Kind.LOST)
        yield Observed(step, answer)
