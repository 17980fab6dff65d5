"""Which scenario a locustfile runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hotrow.scenario import Scenario


def declared_scenario(kinds: Iterable[type[Any]], chosen: str | None) -> Scenario:
    """The scenario of a locustfile: the one its user class names, or the one that `--scenario` chooses.

    Raises:
        UsageError: none is named, or the chosen one is unknown.
    """
    for kind in kinds:
        if getattr(kind, "scenario", None) is not None:
            return cast("Scenario", kind.scenario)
        if chosen in getattr(kind, "scenarios", {}):
            return cast("Scenario", kind.scenarios[chosen]())
    known = sorted({name for kind in kinds for name in getattr(kind, "scenarios", {})})
    if known:
        raise UsageError(f"--scenario {chosen}: unknown scenario; use {', '.join(known)}")
    raise UsageError("the locustfile's user class names no scenario; set `scenario = YourScenario()`")
