"""The directory of a run, and run.json: what was run, with what, on what. Never a token, never a password."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.attempt import ATTEMPT, FORMAT
from hotrow.errors import UsageError
from hotrow.masking import show_word
from hotrow.skew import keep_skews, parse_skews

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotrow.load.arguments import Request
    from hotrow.plan import Cell
    from hotrow.scenario import Scenario
    from hotrow.targets.dsql.cluster import Cluster
    from hotrow.targets.target import Target

_COMMANDS = ("hotrow", "locust")
_PACKAGES = ("hotrow", "locust", "psycopg", "gevent", "numpy", "scipy")


def refuse_unwritable(out: Path) -> None:
    """Make sure that a run's directory can be made under `out`.

    Raises:
        UsageError: it cannot.
    """
    probe = out / f".hotrow-{datetime.now(UTC):%H%M%S%f}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise UsageError(
            f"--out {out}: cannot be written ({error.strerror}); give a directory that can"
        ) from None


def make_directory(out: Path, scenario: str) -> Path:
    """A new `<utc>-<scenario>` directory under `out`; runs of the same second get a number."""
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{scenario}"
    for attempt in range(1, 1000):
        directory = out / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        return directory
    raise UsageError(f"--out {out}: a thousand runs of one second; give another directory")


def write_run_json(
    directory: Path,
    *,
    request: Request,
    scenario: Scenario,
    cells: Sequence[Cell],
    target: Target,
    server_version: str,
) -> None:
    """Write run.json, once, before the load starts."""
    keep_skews(directory, parse_skews(request.settings.skews))
    latency = target.latency
    description = {
        "format": FORMAT,
        "schema": [[name, ATTEMPT[name].str] for name in ATTEMPT.names or ()],
        "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": _git_revision(),
        "command": _command(sys.orig_argv),
        "seed": request.seed,
        "scenario": scenario.name,
        "kinds": list(scenario.kinds),
        "loop": "closed",
        "think_s": request.think_s,
        "target": {
            "kind": target.kind,
            "label": target.label,
            "server_version": server_version,
            "isolation": target.isolation.replace("-", " "),
            "latency": latency and {"rtt_ms": latency.rtt_s * 1e3, "commit_ms": latency.commit_s * 1e3},
            "conflicts": target.conflicts,
            "regions": list(target.regions),
            "clusters": [_cluster(door.cluster) for door in target.doors],
        },
        "options": request.options,
        "packages": {name: version(name) for name in _PACKAGES},
        "cells": [cell.as_json() for cell in cells],
    }
    (directory / "run.json").write_text(json.dumps(description, indent=2) + "\n")


def _cluster(cluster: Cluster) -> dict[str, str | None]:
    """What CloudWatch knows it by; what only behaves like Aurora DSQL has no id there."""
    cluster_id = cluster.host.partition(".")[0] if cluster.is_aws else None
    return {"host": cluster.host, "region": cluster.region, "id": cluster_id}


def _command(words: Sequence[str]) -> str:
    """What the user typed, as far as the interpreter knows, without folders, users and passwords."""
    own = next((place for place, word in enumerate(words) if Path(word).name in _COMMANDS), 0)
    return shlex.join([Path(words[own]).name, *map(show_word, words[own + 1 :])])


def _git_revision() -> str | None:
    """The revision of the checkout that runs, with `+` where it has changes; None outside a checkout."""
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "--short", "HEAD")
        return revision + ("+" if _git(here, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *words: str) -> str:
    answer = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603, S607 - fixed words
    return answer.stdout.strip()
