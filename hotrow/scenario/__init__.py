"""The names that a scenario file imports, to define a business transaction, its tables and its check."""

from hotrow.scenario.app_scenario import AppScenario
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
    "AppScenario",
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
