"""Signs that `run` of an ordinary scenario does what hotrow does: begin, commit and repeat transactions."""

from __future__ import annotations

from inspect import unwrap
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hotrow.scenario import Scenario

_NAMES = frozenset({"SerializationFailure", "SERIALIZATION_FAILURE"})
_TEXTS = frozenset({"40001", "OC000"})
USE_APP_SCENARIO = "to measure code with its own retry loop, call it from an AppScenario"
_PAGE = "(docs/your-application.md)"
_MAX_FUNCTIONS = 1000


def findings_on(scenario: Scenario, opened: Sequence[str]) -> Iterator[Finding]:
    """What `run` does by itself; `opened` are the connections that it opened during the rehearsal."""
    if opened:
        yield Finding(
            "own_connection",
            f"{scenario.name}: run() opened a connection of its own; nothing on it is measured",
            f"use the session that run() gets; {USE_APP_SCENARIO} {_PAGE}",
        )
    if handles_conflicts(type(scenario)):
        yield Finding(
            "own_retries",
            f"{scenario.name}: run() handles serialization failures; hotrow counts no retry that it makes",
            f"let the error pass, and choose --retry; {USE_APP_SCENARIO} {_PAGE}",
        )


def handles_conflicts(scenario_type: type[Scenario]) -> bool:
    """Whether `run`, or a function of its file that it may call, names a serialization failure."""
    left: list[Any] = [scenario_type.run]
    seen: set[object] = set()
    while left and len(seen) < _MAX_FUNCTIONS:
        function = unwrap(left.pop())
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        names, texts = _mentioned(function.__code__)
        if names & _NAMES or texts & _TEXTS:
            return True
        left += [function.__globals__[name] for name in names & _own(function)]
        left += [value for name in names if (value := vars(scenario_type).get(name)) is not None]
    return False


def _own(function: FunctionType) -> set[str]:
    """The names of the functions of the file that this one is in."""
    return {
        name
        for name, value in function.__globals__.items()
        if isinstance(value, FunctionType) and value.__module__ == function.__module__
    }


def _mentioned(code: CodeType) -> tuple[set[str], set[str]]:
    """The names and the texts in a function, and in those that are defined in it."""
    names, texts = set(code.co_names), {constant for constant in code.co_consts if isinstance(constant, str)}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more_names, more_texts = _mentioned(inner)
            names |= more_names
            texts |= more_texts
    return names, texts
