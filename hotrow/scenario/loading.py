"""Scenarios by name: the built-in ones, and those in a file of the user's."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotrow.errors import LEAVING, HotrowError, UsageError, line_in, one_line
from hotrow.knob import knobs_of
from hotrow.scenario.contract import scenarios_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from hotrow.scenario.contract import Scenario

MODULE_PREFIX = "hotrow_scenario_"
"""The start of the module names of loaded files."""


def find_scenario(text: str, known: Mapping[str, type[Scenario]]) -> type[Scenario]:
    """The scenario that `text` names: one of `known`, or that of `path/to/mine.py[:NAME]`.

    Raises:
        UsageError: no scenario or file has this name, or the file has no scenario, or has several.
    """
    if text in known:
        return known[text]
    path, _, name = text.partition(".py:")
    if not name and not text.endswith(".py"):
        raise UsageError(f"{text}: unknown scenario; {_suggestion(text, known)}")
    return _choose(Path(f"{path}.py" if name else path), name)


def _suggestion(text: str, known: Mapping[str, type[Scenario]]) -> str:
    if Path(f"{text}.py").is_file():
        return f"did you mean the file {text}.py?"
    near = get_close_matches(text, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"use {', '.join(known) or 'path/to/your.py'}, or the path of a .py file"


def describe(scenario_type: type[Scenario]) -> dict[str, Any]:
    """The entry of a scenario in a list of scenarios, as JSON values: its meaning, kinds and knobs."""
    knobs = [
        {
            "name": knob.name,
            "flag": knob.flag,
            "default": knob.default,
            "meaning": knob.meaning,
            "allowed": knob.allowed,
        }
        for knob in knobs_of(scenario_type).values()
    ]
    meaning = (scenario_type.__doc__ or "").partition("\n")[0]
    return {"meaning": meaning, "kinds": list(scenario_type.kinds), "knobs": knobs}


def scenarios_in_file(path: Path) -> dict[str, type[Scenario]]:
    """All scenarios of a file by name.

    Raises:
        UsageError: the file cannot be loaded, or a scenario in it is not valid.
    """
    return {scenario_type.name: scenario_type for scenario_type in scenarios_in(_load(path))}


def _choose(path: Path, name: str) -> type[Scenario]:
    scenario_types = scenarios_in_file(path)
    if name in scenario_types:
        return scenario_types[name]
    if not scenario_types:
        raise UsageError(f"{path}: defines no scenario; subclass hotrow.scenario.Scenario in it")
    first, names = next(iter(scenario_types)), ", ".join(scenario_types)
    if name:
        raise UsageError(f"{path}:{name}: unknown scenario; the file defines {names}")
    if len(scenario_types) > 1:
        raise UsageError(f"{path}: defines {names}; add the name of one, such as {path}:{first}")
    return scenario_types[first]


def _load(path: Path) -> ModuleType:
    """The module of a file, executed once. The file can import from its folder, as with `locust -f`.

    Raises:
        UsageError: the file cannot be read or executed; the message says why and in which line.
    """
    path = path.resolve()
    name = f"{MODULE_PREFIX}{path.stem}_{hash(path) & 0xFFFF_FFFF:x}"
    if name in sys.modules:
        return sys.modules[name]
    if path.stem in sys.stdlib_module_names:
        raise UsageError(f"{path}: would hide Python's own module {path.stem}; give the file another name")
    if not path.is_file():
        raise UsageError(f"{path}: no such file; pass the path of a .py file with a scenario")
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it ends in .py and is a file
    module = module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except HotrowError:
        del sys.modules[name]
        raise
    except (Exception, *LEAVING) as error:
        del sys.modules[name]
        raise UsageError(f"{path}: cannot be loaded: {_describe_error(error, path)}") from error
    return module


def _describe_error(error: BaseException, path: Path) -> str:
    """The error in one line, with the last line of the file that it passed."""
    line, text = line_in(str(path), error), None
    if isinstance(error, SyntaxError):  # its text repeats file and line, and nothing of the file ran yet
        line, text = line or error.lineno, error.msg
    return one_line(error, text) + ("" if line is None else f" (line {line})")
