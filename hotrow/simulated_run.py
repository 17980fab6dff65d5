"""How run.json says that a run was simulated: its target is no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SIMULATION = "simulation"
"""The kind of target in run.json."""


def simulated_target(label: str) -> dict[str, Any]:
    """What run.json says about the target of a simulated run."""
    return {
        "kind": SIMULATION,
        "label": label,
        "server_version": None,
        "isolation": "snapshot",
        "latency": None,
        "conflicts": "commit",
    }


def is_simulated(run: Mapping[str, Any]) -> bool:
    """Whether a run was simulated; `run` is the content of run.json, or `run` in summary.json."""
    return bool(run["target"].get("kind") == SIMULATION)
