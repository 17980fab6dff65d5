"""A sample summary that looks like that of a real sweep: the model's closed forms plus seeded noise."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tests.support import sample_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

USERS = (1, 2, 4, 8, 16, 32)
SKEWS = ("uniform", "zipf:0.8", "zipf:1.2", "hot")
RETRY = "full-jitter:base=10ms,cap=1s,max=10"

_ROUND_TRIP_S = 0.002
_WINDOW_S = 0.0072
_CYCLE_S = _WINDOW_S + 2 * _ROUND_TRIP_S
_SECONDS = 8.0


def sample_summary(
    *,
    skews: Sequence[str] = SKEWS,
    users: Sequence[int] = USERS,
    keys: Sequence[int] = (1_000,),
    retries: Sequence[str] = (RETRY,),
    redraws: Sequence[bool] = (False,),
    repeats: int = 1,
    scenario: str = "counter",
    conflicts: str = "commit",
    invalid: bool = False,
    regions: Sequence[str] = (),
    kinds: Sequence[str] = (),
    knobs: Sequence[dict[str, int | str]] = ({},),
    full: bool = False,
    seed: int = 7,
) -> dict[str, Any]:
    """Build a summary of format 1 with one unusable cell (the last) and some absent values.

    The sweep covers every combination of skews, users, keys, knobs, retries, redraws and repeats.
    `conflicts` is `commit` (the stand-in) or `locks` (plain PostgreSQL); `invalid` gives the second cell
    lost updates.
    `regions` (two or more) divides each cell's users between regions. Later regions are farther away and
    conflict more. `kinds` divides the transactions in the same way. `full` adds what older runs do not have:
    give-ups, commits by attempt number, fairness, hot keys, knobs. A knob called `shards` divides p by its
    value.
    """
    rng = np.random.default_rng(seed)
    settings = itertools.product(
        [scenario], skews, keys, retries, redraws, users, range(1, repeats + 1), knobs
    )
    cells = [_cell(rng, number, Setting(*each), conflicts) for number, each in enumerate(settings)]
    if full or kinds or knobs != ({},):
        cells = [{**cell, **sample_cells.details(cell)} for cell in cells]
    if regions:
        cells = [{**cell, "regions": sample_cells.regions(cell, regions)} for cell in cells]
    if kinds:
        cells = [{**cell, "kinds": sample_cells.kinds(cell, kinds)} for cell in cells]
    _spoil(cells, invalid=invalid)
    return {
        "format": 1,
        "run": _run(scenario, conflicts, seed, regions),
        "torn_bytes": 0,
        "planned_cells": len(cells) + 2,
        "workers": 1,
        "ended_utc": "2026-03-14T09:31:20Z",
        "cells": cells,
        "warnings": [
            {
                "code": "cells_missing",
                "message": "2 of the planned cells were not measured",
                "advice": "Let the run end by itself.",
            }
        ],
    }


def probabilities(skew: str, keys: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of each key, hottest first, for the skews `uniform`, `zipf:THETA` and `hot`."""
    kind, _, rest = skew.partition(":")
    weights = np.arange(1, keys + 1, dtype=np.float64) ** -(float(rest) if kind == "zipf" else 0.0)
    if kind == "hot":
        weights[1:] = 0
    return np.asarray(weights / weights.sum())


class Setting(NamedTuple):
    """The settings that distinguish one cell from another."""

    scenario: str
    skew: str
    keys: int
    retry: str
    redraw: bool
    users: int
    repeat: int
    knobs: dict[str, int | str]


class Load(NamedTuple):
    """The load of a cell: counts, and the conflict rate that the model predicts."""

    predicted: float
    waiting: float
    """The factor by which waiting for locks lengthens the cycle."""
    total: int
    conflict: int
    finished: int

    @property
    def committed(self) -> int:
        """Attempts that did not conflict."""
        return self.total - self.conflict


def _cell(rng: np.random.Generator, number: int, setting: Setting, conflicts: str) -> dict[str, Any]:
    p = probabilities(setting.skew, setting.keys)
    shards = int(setting.knobs.get("shards", 1))
    load = _load(rng, setting, np.repeat(p / shards, shards), locks=conflicts == "locks")
    return {
        "id": number,
        **{name: value for name, value in setting._asdict().items() if name != "knobs" or value},
        "seconds": _SECONDS,
        "d_eff": float(1 / (p**2).sum()),
        "p_max": float(p[0]),
        **_counts(load, setting.users),
        **_rates(load),
        **_times(rng, load),
        "wasted_share": 0.99 * load.conflict / load.total,
        "backoff_share": 0.0 if setting.retry == "none" else 0.2 * load.predicted,
        "predicted": _prediction(load, setting, conflicts),
        "client": {"cpu": 0.01 * setting.users + 0.05, "lag_ms_p99": 0.8 + 0.02 * setting.users},
        "sqlstates": {"40001": load.conflict} if load.conflict else {},
        "verdict": {"valid": True, "checks": [_check(True, 0)]},
        "warnings": [],
        "usable": True,
    }


def _load(
    rng: np.random.Generator, setting: Setting, p: np.ndarray[Any, np.dtype[np.float64]], *, locks: bool
) -> Load:
    """Closed loop without retry: P = sum of p * m p / (1 + m p); m other clients are in their windows."""
    m = (setting.users - 1) * _WINDOW_S / _CYCLE_S
    predicted = float((p * m * p / (1 + m * p)).sum())
    noise = 1 + (1 - predicted) * rng.normal(0, 0.06)
    rate = 0.0 if locks else float(np.clip(predicted * noise, 0, 0.999))
    waiting = 1 + (m * float((p**2).sum()) if locks else 0.0)
    backoff = 1 + (0.0 if setting.retry == "none" else 0.3 * rate)
    total = int(_SECONDS * setting.users / (_CYCLE_S * waiting * backoff) * rng.normal(1, 0.01))
    conflict = round(rate * total)
    finished = total if setting.retry == "none" else total - conflict + conflict // 40
    return Load(predicted, waiting, total, conflict, finished)


def _counts(load: Load, users: int) -> dict[str, Any]:
    none = {"rejected": 0, "unknown": 0}
    transactions = {
        "started": load.finished + users,
        "committed": load.committed,
        "gave_up": load.finished - load.committed,
        "failed": 0,
        "cut_off": users,
    }
    attempts = {
        "total": load.total,
        "committed": load.committed,
        "conflict": load.conflict,
        "schema_conflict": 0,
        "deadlock": 0,
        "error": 0,
    }
    in_doubt = dict.fromkeys(("total", "applied", "not_applied", "unknown"), 0)
    return {
        "transactions": {**transactions, **none},
        "attempts": {**attempts, **none},
        "in_doubt": in_doubt,
    }


def _rates(load: Load) -> dict[str, Any]:
    rate, retried = load.conflict / load.total, load.total - load.finished
    half = 2.4 * math.sqrt(rate * (1 - rate) / load.total) + 1 / load.total
    return {
        "conflict_rate": _estimate(rate, half, 1),
        "retry_rate": _estimate(retried / load.finished, 2.4 * math.sqrt(retried + 1) / load.finished),
        "goodput_per_s": _estimate(load.committed / _SECONDS, 2.4 * math.sqrt(load.committed) / _SECONDS),
        "attempts_per_s": load.total / _SECONDS,
        "attempts_per_commit": load.total / load.committed if load.committed else None,
    }


def _times(rng: np.random.Generator, load: Load) -> dict[str, Any]:
    rate, cycle_ms = load.conflict / load.total, 1e3 * _CYCLE_S * load.waiting
    return {
        "latency_ms": _quantiles(load.committed, cycle_ms * (1 + rate / (1.02 - rate)), 0.1 + rate, rng),
        "attempt_ms": _quantiles(load.total, cycle_ms, 0.08, rng),
        "commit_ms": _quantiles(load.total, 7.0 * load.waiting, 0.06, rng),
        "window_ms": {"n": load.total, "mean": 1e3 * _WINDOW_S, "p50": 7.15, "p99": 8.9},
        "connect_ms": {"n": 0, "p50": None, "p99": None, "max": None},
        "cycle_ms": cycle_ms,
    }


def _prediction(load: Load, setting: Setting, conflicts: str) -> dict[str, float | None]:
    if conflicts == "locks":
        return {"conflict_rate": None, "goodput_per_s": None}
    goodput = setting.users * (1 - load.predicted) / _CYCLE_S if setting.retry == "none" else None
    return {"conflict_rate": load.predicted, "goodput_per_s": goodput}


def _estimate(value: float, half: float, most: float = math.inf) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - half), "high": min(most, value + half)}


def _quantiles(n: int, middle: float, spread: float, rng: np.random.Generator) -> dict[str, float | None]:
    p50 = middle * rng.normal(1, 0.02)
    z = {"p90": 1.28, "p99": 2.33, "p999": 3.09, "max": 3.6}
    tail = {name: p50 * math.exp(score * spread) for name, score in z.items()}
    return {"n": n, "p50": p50, **tail, "p999": tail["p999"] if n >= 1000 else None}


def _check(valid: bool | None, violations: int) -> dict[str, Any]:
    return {
        "name": "value = acknowledged increments",
        "valid": valid,
        "count": violations,
        "details": {},
        **sample_cells.violations(violations),
    }


def _spoil(cells: list[dict[str, Any]], *, invalid: bool) -> None:
    """Make the last cell unusable and remove values from the first; `invalid` fails the second's check."""
    cells[0]["latency_ms"]["p99"] = None
    cells[0]["wasted_share"] = None
    cells[0]["verdict"] = {"valid": None, "checks": [_check(None, 0)]}
    cells[-1]["usable"] = False
    cells[-1]["client"] = {"cpu": 0.97, "lag_ms_p99": 41.0}
    cells[-1]["warnings"] = [
        {
            "code": "client_saturated",
            "message": "the client was the bottleneck: it used 97% of a core (limit 90%)",
            "advice": "Add workers (--processes), or use fewer users.",
        }
    ]
    if invalid:
        cells[1 % len(cells)]["verdict"] = {"valid": False, "checks": [_check(False, 3)]}


def _run(scenario: str, conflicts: str, seed: int, regions: Sequence[str]) -> dict[str, Any]:
    locks = conflicts == "locks"
    return {
        "format": 1,
        "started_utc": "2026-03-14T09:26:53Z",
        "git_revision": "5f1d2c9",
        "command": "hotrow sweep counter --skew uniform,zipf:0.8,zipf:1.2,hot --users 1,2,4,8,16,32",
        "reproduce": "hotrow sweep counter -H local --skew hot --users 1,2,4,8,16,32",
        "machine": {
            "python": "CPython 3.13.1",
            "system": "Linux 6.12",
            "architecture": "x86_64",
            "processor": "Some Processor",
            "cores": 8,
            "memory_bytes": 2**34,
        },
        "tables": ["counter"],
        "seed": seed,
        "scenario": scenario,
        "loop": "closed",
        "think_s": 0.0,
        "target": {
            "kind": "postgresql" if locks else "local",
            "label": "postgresql db.example" if locks else "local (rtt 2 ms, commit 5 ms)",
            "server_version": "18.1",
            "isolation": "repeatable read",
            "latency": None if locks else {"rtt_ms": 2.0, "commit_ms": 5.0},
            "conflicts": conflicts,
            "regions": list(regions),
        },
        "options": {"duration": "8s", "keys": "1000"},
    }
