"""Which scenario is meant: the name of a built-in one, or a file with one of the user's own."""

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
"""With which the names begin that loaded files have as modules."""


def find_scenario(text: str, known: Mapping[str, type[Scenario]]) -> type[Scenario]:
    """The scenario that `text` names: one of the `known`, `path/to/mine.py`, or `path/to/mine.py:NAME`.

    Raises:
        UsageError: no such name or file, or a file with no scenario or several.
    """
    if text in known:
        return known[text]
    path, _, name = text.partition(".py:")
    if not name and not text.endswith(".py"):
        raise UsageError(f"{text}: unknown scenario; {_meant(text, known)}")
    return _choose(Path(f"{path}.py" if name else path), name)


def _meant(text: str, known: Mapping[str, type[Scenario]]) -> str:
    if Path(f"{text}.py").is_file():
        return f"did you mean the file {text}.py?"
    near = get_close_matches(text, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"use {', '.join(known) or 'path/to/your.py'}, or the path of a .py file"


def describe(kind: type[Scenario]) -> dict[str, Any]:
    """What a list of scenarios says of one, as JSON values: what it is, and its knobs."""
    knobs = [
        {
            "name": knob.name,
            "flag": knob.flag,
            "default": knob.default,
            "meaning": knob.meaning,
            "allowed": knob.allowed,
        }
        for knob in knobs_of(kind).values()
    ]
    return {"meaning": (kind.__doc__ or "").partition("\n")[0], "kinds": list(kind.kinds), "knobs": knobs}


def listed(path: Path) -> dict[str, type[Scenario]]:
    """All scenarios of a file by name.

    Raises:
        UsageError: it cannot be loaded, or one of them cannot be.
    """
    return {kind.name: kind for kind in scenarios_in(_load(path))}


def _choose(path: Path, name: str) -> type[Scenario]:
    found = listed(path)
    if name in found:
        return found[name]
    if not found:
        raise UsageError(f"{path}: defines no scenario; subclass hotrow.scenario.Scenario in it")
    names = ", ".join(found)
    if name:
        raise UsageError(f"{path}:{name}: unknown scenario; the file defines {names}")
    if len(found) > 1:
        raise UsageError(f"{path}: defines {names}; add the name of one, as in {path}:{next(iter(found))}")
    return next(iter(found.values()))


def _load(path: Path) -> ModuleType:
    """The module of a file, run once; its folder can be imported from, as with `locust -f`.

    Raises:
        UsageError: it cannot be read or run; one line says why and where.
    """
    path = path.resolve()
    name = f"{MODULE_PREFIX}{path.stem}_{hash(path) & 0xFFFF_FFFF:x}"
    if name in sys.modules:
        return sys.modules[name]
    if path.stem in sys.stdlib_module_names:
        raise UsageError(f"{path}: would hide Python's own module {path.stem}; give the file another name")
    if not path.is_file():
        raise UsageError(f"{path}: no such file; give the path of a .py file with a scenario")
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
        raise UsageError(f"{path}: cannot be loaded: {_told(error, path)}") from error
    return module


def _told(error: BaseException, path: Path) -> str:
    """The error in a line, with the last of the file's own lines that it went through."""
    line, text = line_in(str(path), error), None
    if isinstance(error, SyntaxError):  # its text names the place too; in the file itself nothing ran yet
        line, text = line or error.lineno, error.msg
    return one_line(error, text) + ("" if line is None else f" (line {line})")
