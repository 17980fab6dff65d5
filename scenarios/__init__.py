"""One contention pattern a file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from scenarios.counter import Counter
from scenarios.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.scenario import Scenario

ALL: Mapping[str, type[Scenario]] = MappingProxyType({kind.name: kind for kind in (Counter, Transfer)})
"""Every built-in scenario by its name."""
