"""Scenarios by name on the command line: scripts, pgbench's built-in ones, and all others."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import UsageError
from hotrow.scenario.loading import find_scenario
from hotrow.script.built_in_scripts import BUILT_IN, check_text
from hotrow.script.compiler import compile_script
from hotrow.script.script_checks import ScriptCheck, read_checks
from hotrow.script.script_scenario import ScriptScenario, Weighted
from hotrow.script.script_tables import ScriptTables, read_setup
from hotrow.script.source_text import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hotrow.scenario import Scenario

KEY_FLAG = ScriptScenario.key.flag
"""`--key`."""
_SUFFIX = ".sql"
_WEIGHTED = re.compile(r"(?P<name>.+?)(?:@(?P<weight>\d+))?")
_MAX_NAME = 64
_MAX_BYTES = 1_000_000


def find_any_scenario(text: str, known: Mapping[str, type[Scenario]]) -> type[Scenario]:
    """The scenario that `text` names: scripts, such as `mine.sql@3,tpcb-like`, or as in `find_scenario`.

    Raises:
        UsageError: there is none, or a script cannot run.
    """
    if text in known or not is_script(text):
        return find_scenario(text, known)
    return _script_scenario(text)


def is_script(text: str) -> bool:
    """Whether the text names scripts. A part of a list counts too, so that a mistake in it is named."""
    return any(name in BUILT_IN or name.endswith(_SUFFIX) for name, _ in _parts(text))


def _parts(text: str) -> list[tuple[str, int]]:
    """The names and weights of scripts."""
    matches = [_WEIGHTED.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    return [(match["name"], int(match["weight"] or 1)) for match in matches if match]


@cache
def _script_scenario(text: str) -> type[ScriptScenario]:
    """The class of the scenario; the same one every time, because cells are compared by class."""
    parts = [(name, weight) for name, weight in _parts(text) if weight]
    if not parts:
        raise UsageError(f"{text}: each script has the weight 0; give one a weight of at least 1")
    scripts = tuple(Weighted(_name_of(name), compile_script(_source(name)), weight) for name, weight in parts)
    names = [weighted.name for weighted in scripts]
    if len(set(names)) < len(names):
        raise UsageError(f"{text}: a script is given twice; give it once, with a weight such as mine.sql@2")
    kinds = tuple(kind for weighted in scripts for kind in weighted.kinds)
    kinds = kinds if len(kinds) > 1 else ()
    fields = {
        "__doc__": f"Run {text}.",
        "__module__": "hotrow_script",
        "name": "-and-".join(names)[:_MAX_NAME].strip("-"),
        "kinds": kinds,
        "scripts": scripts,
        "made": _tables([name for name, _ in parts]),
        "checks": _checks([name for name, _ in parts], kinds),
    }
    return type("Script", (ScriptScenario,), fields)


def _name_of(name: str) -> str:
    """The name of a script in reports: small letters, digits and hyphens."""
    stem = name if name in BUILT_IN else Path(name).stem
    return re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-") or "script"


def _source(name: str) -> Source:
    return Source(name, BUILT_IN[name]) if name in BUILT_IN else _read(Path(name))


def _read(path: Path) -> Source:
    if path.suffix != _SUFFIX:
        known = ", ".join(BUILT_IN)
        raise UsageError(f"{path}: a script's name ends in .sql; the built-in ones are {known}")
    try:
        if not path.is_file():
            raise UsageError(f"{path}: no such file; pass the path of a script")
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path}: has more than {_MAX_BYTES:,} bytes; a script is shorter")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 (byte {error.start + 1})") from None
    if "\0" in text:
        raise UsageError(f"{path}: holds a NUL character, so it is not a script")
    return Source(str(path), text)


def _tables(names: list[str]) -> ScriptTables:
    files = [Path(name).with_suffix(".setup.sql") for name in names if name not in BUILT_IN]
    setup = tuple(template for file in files if file.is_file() for template in read_setup(_read(file)))
    return ScriptTables(setup, any(name in BUILT_IN for name in names), str(next(iter(files), "")))


def _checks(names: list[str], kinds: tuple[str, ...]) -> tuple[ScriptCheck, ...]:
    """The checks of the scripts' files; if only built-in scripts run, theirs."""
    own = [name for name in names if name not in BUILT_IN]
    if not own:
        return tuple(read_checks(Source("check", check_text(names)), kinds))
    files = [Path(name).with_suffix(".check.sql") for name in own]
    return tuple(check for file in files if file.is_file() for check in read_checks(_read(file), kinds))
