"""Which faults the endpoint injects, and with which probability.

Pure: values that are checked when they are made.

A probability is 0 to 1. Each connection has its own random generator for each fault, so a run with the same
seed and the same order of connections meets the same faults.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from hotrow.errors import UsageError


class Fault(Enum):
    """What may go wrong. The value is the field's name in `Faults` and the key of the counts."""

    CONFLICT = "conflict"
    SCHEMA_CONFLICT = "schema_conflict"
    DROP_BEFORE = "drop_before"
    DROP_DURING = "drop_during"
    DROP_AFTER = "drop_after"
    UNAVAILABLE = "unavailable"
    DELAY = "delay"
    REFUSE = "refuse"
    REJECT_TOKEN = "reject_token"  # noqa: S105 - a name, not a password
    EXPIRE_TOKEN = "expire_token"  # noqa: S105 - the same
    CONNECT_RATE = "connect_rate"
    SESSION_LIFE = "session_life"

    @property
    def option(self) -> str:
        """The fault's option on the command line."""
        return f"--{self.value.replace('_', '-')}"


COMMIT_FAULTS = (
    Fault.DROP_BEFORE,
    Fault.DROP_DURING,
    Fault.CONFLICT,
    Fault.SCHEMA_CONFLICT,
    Fault.UNAVAILABLE,
    Fault.DROP_AFTER,
)
"""Faults of a COMMIT. If several are drawn, the first in this order happens."""
PROBABILITIES = (*COMMIT_FAULTS, Fault.DELAY, Fault.REFUSE, Fault.REJECT_TOKEN, Fault.EXPIRE_TOKEN)
"""The faults with a probability. The others are limits."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities and limits. By default there are no faults."""

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
    """New connections per second; 0 is no limit."""
    connect_burst: float = 0.0
    """New connections at once."""
    session_life: float = 0.0
    """Seconds until a connection is closed; 0 is no limit."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            UsageError: a value is not allowed.
        """
        for fault in PROBABILITIES:
            probability = getattr(self, fault.value)
            if not 0 <= probability <= 1:  # NaN too
                raise UsageError(f"{fault.option} {probability:g}: a probability is 0 to 1")
        if self.connect_rate and not self.connect_burst >= 1:
            raise UsageError("--connect-burst: at least one connection must be let in; pass 1 or more")
        if self.connect_burst and not self.connect_rate:
            raise UsageError("--connect-burst needs --connect-rate, the new connections per second")

    @property
    def any(self) -> bool:
        """Whether any fault is on."""
        return any(value for name, value in asdict(self).items() if name not in {"seed", "delay_s"})

    @property
    def need_messages(self) -> bool:
        """Whether a connection must be followed message by message after its login."""
        return any(self.share(fault) for fault in (*COMMIT_FAULTS, Fault.DELAY)) or self.session_life > 0

    def share(self, fault: Fault) -> float:
        """The probability of a fault, or the value of its limit."""
        return float(getattr(self, fault.value))


def read_faults(values: dict[str, Any]) -> Faults:
    """Faults from JSON, as `dataclasses.asdict` wrote them.

    Raises:
        UsageError, KeyError, TypeError, ValueError: the values are not faults.
    """
    numbers = {entry.name: float(values[entry.name]) for entry in fields(Faults) if entry.name != "seed"}
    return Faults(**numbers, seed=int(values["seed"]))
