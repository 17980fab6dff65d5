"""A case as data: what is done to a run, and what has to come of it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.chaos.trial import Trial

LOST_S_MAX = 1.3
"""Records are handed to the operating system once per second; the rest is for a busy machine."""
UNWRITTEN_S_MAX = 32.0
"""A run waits for a full disk for 30 s."""
ABSENT = "absent"
"""The verdict of a cell that has none."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case, and what is expected of it."""

    name: str
    fault: Callable[[Trial], None] = faults.nothing
    codes: frozenset[int] = frozenset({4})
    """The exit codes that are documented for it."""
    report_code: int | None = None
    """What `hotrow report` exits with, if the run could not summarise itself."""
    counting: frozenset[object] = frozenset({True})
    """What the check that counts acknowledgements may come to."""
    conserving: frozenset[object] = frozenset({True})
    """What the check that does not count may come to."""
    says: str = ""
    """A pattern that has to be found in what the run said, its summary or its report."""
    one_line: bool = False
    """Whether it says one line and no more."""
    loses_s: float = 0.0
    """Over how long a time the records may be that are missing; 0 is none."""
    processes: int = 0
    duration: str = "5s"
    within_s: float = 25.0
    """How soon after the fault the run has to end."""
    immediately: bool = False
    """Whether the fault comes at the start and not while a cell is measured."""
    endpoint: bool = False
    """Whether the run reaches the stand-in through its endpoint."""
    leaves_records: bool = True
    """Whether there is a run's directory at the end."""
    same_goodput: bool = False
    """Whether goodput has to be what the witnesses say."""
    setting: Callable[[Trial], AbstractContextManager[None]] = field(default=lambda _: nullcontext())
    skip: Callable[[], str | None] = lambda: None
    """Why it cannot be tried here."""
    short: bool = False
    """Whether it is in the short form."""
