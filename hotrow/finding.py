"""A finding: one thing that hotrow has to say about a run, a scenario or a target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: a code for machines, a message and advice for people."""

    code: str
    message: str
    advice: str
    spoils: bool = False
    """Whether the finding makes the measurement of its cell unusable."""

    def as_json(self) -> dict[str, str]:
        """The finding as a warning in events.jsonl and summary.json."""
        return {"code": self.code, "message": self.message, "advice": self.advice}
