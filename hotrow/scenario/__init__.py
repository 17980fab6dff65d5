"""What a scenario file imports: one business transaction, its tables and the check of its correctness."""

from hotrow.scenario.contract import (
    LOST,
    Keys,
    Result,
    Row,
    Scenario,
    Session,
    State,
    Tally,
    Verdict,
    Violation,
    Work,
    applied_once,
    check_name,
    judge,
    key_ranges,
    scenarios_in,
)

__all__ = [
    "LOST",
    "Keys",
    "Result",
    "Row",
    "Scenario",
    "Session",
    "State",
    "Tally",
    "Verdict",
    "Violation",
    "Work",
    "applied_once",
    "check_name",
    "judge",
    "key_ranges",
    "scenarios_in",
]
