"""The built-in scenarios: one contention pattern per file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

from hotrow.scenario import scenarios_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.scenario import Scenario

_SCENARIO_TYPES = [
    scenario_type
    for module in iter_modules(__path__, f"{__name__}.")
    for scenario_type in scenarios_in(import_module(module.name))
]

ALL: Mapping[str, type[Scenario]] = MappingProxyType(
    dict(sorted((scenario_type.name, scenario_type) for scenario_type in _SCENARIO_TYPES))
)
"""Every scenario of this package by name, in alphabetical order."""
