"""Which faults the endpoint injects, and with what chance. Pure: values, checked when they are made.

A probability is 0 to 1. Each connection draws for each fault from a generator of its own, so that a run with
the same seed and the same order of connections meets the same faults.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from hotrow.errors import UsageError


class Fault(Enum):
    """What may go wrong; the value is the field of `Faults` and the key of the counts."""

    CONFLICT = "conflict"
    SCHEMA_CONFLICT = "schema_conflict"
    DROP_BEFORE = "drop_before"
    DROP_DURING = "drop_during"
    DROP_AFTER = "drop_after"
    UNAVAILABLE = "unavailable"
    DELAY = "delay"
    REFUSE = "refuse"
    REJECT_TOKEN = "reject_token"  # noqa: S105 - a name
    EXPIRE_TOKEN = "expire_token"  # noqa: S105 - the same
    CONNECT_RATE = "connect_rate"
    SESSION_LIFE = "session_life"

    @property
    def option(self) -> str:
        """How the command line calls it."""
        return f"--{self.value.replace('_', '-')}"


COMMIT_FAULTS = (
    Fault.DROP_BEFORE,
    Fault.DROP_DURING,
    Fault.CONFLICT,
    Fault.SCHEMA_CONFLICT,
    Fault.UNAVAILABLE,
    Fault.DROP_AFTER,
)
"""What may happen to a COMMIT, at most one of them: the first in this order that is drawn."""
PROBABILITIES = (*COMMIT_FAULTS, Fault.DELAY, Fault.REFUSE, Fault.REJECT_TOKEN, Fault.EXPIRE_TOKEN)
"""The faults that have one; the rest are limits."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities and limits; by default nothing happens."""

    conflict: float = 0.0
    schema_conflict: float = 0.0
    drop_before: float = 0.0
    drop_during: float = 0.0
    drop_after: float = 0.0
    unavailable: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.0
    refuse: float = 0.0
    reject_token: float = 0.0
    expire_token: float = 0.0
    connect_rate: float = 0.0
    """New connections a second; 0 is no limit."""
    connect_burst: float = 0.0
    """New connections at once."""
    session_life: float = 0.0
    """Seconds; 0 is for ever."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            UsageError: one of them cannot be.
        """
        for fault in PROBABILITIES:
            share = getattr(self, fault.value)
            if not 0 <= share <= 1:  # NaN too
                raise UsageError(f"{fault.option} {share:g}: a probability is 0 to 1")
        if self.connect_rate and not self.connect_burst >= 1:
            raise UsageError("--connect-burst: at least one connection must be let in; give 1 or more")
        if self.connect_burst and not self.connect_rate:
            raise UsageError("--connect-burst needs --connect-rate, the new connections a second")

    @property
    def any(self) -> bool:
        """Whether there is any fault at all."""
        return any(value for name, value in asdict(self).items() if name not in {"seed", "delay_s"})

    @property
    def need_messages(self) -> bool:
        """Whether a connection that is in has to be followed message by message."""
        return any(self.share(fault) for fault in (*COMMIT_FAULTS, Fault.DELAY)) or self.session_life > 0

    def share(self, fault: Fault) -> float:
        """The probability of a fault, or the value of a limit."""
        return float(getattr(self, fault.value))


def read_faults(facts: dict[str, Any]) -> Faults:
    """Faults from JSON, as `dataclasses.asdict` wrote them.

    Raises:
        UsageError, KeyError, TypeError, ValueError: they are not.
    """
    shares = {entry.name: float(facts[entry.name]) for entry in fields(Faults) if entry.name != "seed"}
    return Faults(**shares, seed=int(facts["seed"]))
