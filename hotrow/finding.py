"""What is doubtful, as a value: a code, what was found, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning. `spoils`: the cell is not usable."""

    code: str
    message: str
    advice: str
    spoils: bool = False

    def as_json(self) -> dict[str, str]:
        """As it stands in summary.json."""
        return {"code": self.code, "message": self.message, "advice": self.advice}
