"""The directory of a run, and run.json, which describes the run without tokens and passwords."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotrow.attempt.record import ATTEMPT, FORMAT
from hotrow.errors import UsageError
from hotrow.keys.skew import keep_skews, parse_skews
from hotrow.masking import show_word
from hotrow.run.machine import describe_machine
from hotrow.run.observed_run import OBSERVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.run.gate_rules import Rule
    from hotrow.run.plan import Cell, Settings
    from hotrow.scenario import Scenario

_COMMANDS = ("hotrow", "locust")
_PACKAGES = ("hotrow", "locust", "psycopg", "gevent", "numpy", "scipy")


def refuse_unwritable(out: Path) -> None:
    """Check that a run's directory can be created under `out`.

    Raises:
        UsageError: it cannot be created.
    """
    probe = out / f".hotrow-{datetime.now(UTC):%H%M%S%f}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise UsageError(
            f"--out {out}: cannot be written ({error.strerror}); pass a directory that can be written"
        ) from None


def make_directory(out: Path, scenario: str) -> Path:
    """Create a directory `<utc>-<scenario>` under `out`; further runs in the same second get a number."""
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{scenario}"
    for attempt in range(1, 1000):
        directory = out / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        return directory
    raise UsageError(f"--out {out}: has a thousand runs of this second; pass another directory")


def write_run_json(
    directory: Path,
    *,
    scenario: Scenario,
    cells: Sequence[Cell],
    target: Mapping[str, Any],
    settings: Settings,
    seed: int,
    think_s: float,
    options: Mapping[str, Any],
    tables: Sequence[str],
    reproduce: str,
    gate_rules: Sequence[Rule] = (),
) -> None:
    """Write run.json, once, before the load starts.

    `target` describes the database, `options` are the options as the user set them, `tables` are the names of
    the scenario's tables, and `reproduce` is the command that makes the run again. None of them has secrets.
    """
    keep_skews(directory, parse_skews(settings.skews))
    facts = {
        "seed": seed,
        "scenario": scenario.name,
        "kinds": list(scenario.kinds),
        "tables": list(tables),
        "loop": "closed",
        "think_s": think_s,
        "gates": [rule.as_json() for rule in gate_rules],
        "cells": [cell.as_json() for cell in cells],
    }
    _write(directory, facts, target, options, reproduce)


def write_observed_run_json(
    directory: Path,
    *,
    cell: Cell,
    target: Mapping[str, Any],
    options: Mapping[str, Any],
    reproduce: str,
) -> None:
    """Write run.json of a run whose load comes from a program that hotrow does not know.

    The kinds of transaction are in statements.jsonl, because they are known only once they are seen.
    """
    facts = {"scenario": cell.scenario, "loop": OBSERVED, "think_s": 0.0, "cells": [cell.as_json()]}
    _write(directory, facts, target, options, reproduce)


def _write(
    directory: Path,
    facts: Mapping[str, Any],
    target: Mapping[str, Any],
    options: Mapping[str, Any],
    reproduce: str,
) -> None:
    description = {
        "format": FORMAT,
        "schema": [[name, ATTEMPT[name].str] for name in ATTEMPT.names or ()],
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": _git_revision(),
        "command": _command(sys.orig_argv),
        "reproduce": reproduce,
        "machine": describe_machine(),
        "target": dict(target),
        "options": dict(options),
        "packages": {name: version(name) for name in _PACKAGES},
        **facts,
    }
    (directory / "run.json").write_text(json.dumps(description, indent=2) + "\n")


def _command(words: Sequence[str]) -> str:
    """The command line as the user typed it, without folders, users and passwords."""
    start = next((index for index, word in enumerate(words) if Path(word).name in _COMMANDS), 0)
    return shlex.join([Path(words[start]).name, *map(show_word, words[start + 1 :])])


def _git_revision() -> str | None:
    """The git revision of hotrow, with `+` if it has changes; None outside a checkout."""
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "--short", "HEAD")
        return revision + ("+" if _git(here, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *words: str) -> str:
    answer = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603, S607 - fixed words
    return answer.stdout.strip()
