"""One contention pattern a file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

from hotrow.scenario import scenarios_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.scenario import Scenario

_FOUND = [
    kind
    for module in iter_modules(__path__, f"{__name__}.")
    for kind in scenarios_in(import_module(module.name))
]

ALL: Mapping[str, type[Scenario]] = MappingProxyType(dict(sorted((kind.name, kind) for kind in _FOUND)))
"""Every scenario of this package by its name, in the alphabet's order."""
