"""The shapes of run.json and of the lines of a run's other files. Fields that nobody reads may differ.

Optional fields were added after the first runs of format 1.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from analysis.shapes import (
    anything,
    flag,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    plain,
    record,
    spelled,
    text,
    whole,
)
from hotrow.attempt.record import MAX_CELLS
from hotrow.attempt.retry import recorded_policy
from hotrow.errors import UsageError
from hotrow.keys import MAX_KEYS
from hotrow.keys.skew import MAX_KEYS_DRAWN, is_spelled_right
from hotrow.keys.spaces import MAX_SPACES
from hotrow.run.gate_rules import MAX_RULES
from hotrow.run.observed_run import OBSERVED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from analysis.shapes import Shape

_MAX_PARTS = 256
"""Most kinds or regions of a run: the record numbers them in one byte."""
_MAX_USERS = 10_000_000
_WORKER = whole(0, 0xFFFF)
_TIME_NS = whole(0, 2**62)


def _is_skew(written: str) -> bool:
    return written == OBSERVED or is_spelled_right(written)


def _is_policy(written: str) -> bool:
    if written == OBSERVED:
        return True
    try:
        recorded_policy(written)
    except UsageError:
        return False
    return True


_SPACE = record({"name": text, "keys": whole(1, MAX_KEYS), "drawn": whole(1, MAX_KEYS_DRAWN)})
CELL = record(
    {
        "id": whole(0, MAX_CELLS - 1),
        "scenario": text,
        "skew": spelled("a skew", _is_skew),
        "keys": whole(1, MAX_KEYS),
        "users": whole(1, _MAX_USERS),
        "retry": spelled("a retry policy", _is_policy),
        "redraw": flag,
        "repeat": whole(),
        "keys_per_transaction": whole(0, MAX_KEYS_DRAWN),
        "warmup_s": number(),
        "duration_s": maybe(number()),
    },
    {
        "knobs": map_of(plain),
        "rows_per_key": whole(1, 1_000_000),
        "closed_form": flag,
        "spaces": list_of(_SPACE, MAX_SPACES),
    },
)
_TARGET = record(
    {
        "kind": text,
        "label": text,
        "server_version": maybe(text),
        "isolation": maybe(text),
        "latency": maybe(map_of(number())),
        "conflicts": one_of("commit", "locks"),
    },
    {
        "regions": list_of(text, _MAX_PARTS),
        "clusters": list_of(map_of(maybe(text)), _MAX_PARTS),
        "begin": one_of("with-first", "apart"),
    },
)
RUN = record(
    {
        "format": whole(),
        "scenario": text,
        "loop": text,
        "think_s": number(),
        "target": _TARGET,
        "cells": list_of(CELL, MAX_CELLS),
    },
    {
        "started_utc": text,
        "git_revision": maybe(text),
        "command": text,
        "reproduce": text,
        "machine": map_of(maybe(plain)),
        "seed": whole(),
        "kinds": list_of(text, _MAX_PARTS),
        "tables": list_of(text, _MAX_PARTS),
        "options": map_of(plain),
        "gates": list_of(map_of(anything), MAX_RULES),
        "packages": map_of(text),
    },
)
_CHECK = record({"name": text, "valid": maybe(flag), "count": whole(), "details": map_of(anything)})
_OFFSET = record({"worker": _WORKER, "offset_ns": whole(-(2**62), 2**62), "delay_ns": whole()})
_FINDING = record({"code": text, "message": text, "advice": text})

EVENTS: Mapping[str, Shape] = MappingProxyType(
    {
        "added": record({"added": CELL}),
        "begin": record({"cell": whole(), "begin_ns": _TIME_NS}),
        "window": record(
            {"cell": whole(), "begin_ns": _TIME_NS, "end_ns": _TIME_NS},
            {"users": whole(1, _MAX_USERS), "interrupted": text},
        ),
        "verdict": record(
            {"cell": whole(), "checks": list_of(_CHECK)},
            {
                "records": map_of(whole()),
                "acknowledged": record({"committed": whole(), "unknown": whole()}),
            },
        ),
        "lost": record(
            {"worker": _WORKER, "cell": maybe(whole()), "reason": text},
            {"from_ns": maybe(_TIME_NS), "to_ns": maybe(_TIME_NS)},
        ),
        "clock": record({"offsets": list_of(_OFFSET)}),
        "rehearsal": record({"findings": list_of(_FINDING)}),
        "sealed": record({"files": map_of(record({"bytes": whole(), "digest": text}))}),
    }
)
"""The shape of each event, by the event's name. Events with other names are accepted."""

_CONNECTIONS = record(
    {
        "opened": whole(),
        "retired": whole(),
        "retries": map_of(whole()),
        "slot_wait_s": number(),
        "token_s": number(),
    }
)
HEALTH = record(
    {"wall_ns": _TIME_NS, "cell": maybe(whole()), "lag_ms": number(), "cpu": number()},
    {
        "seconds": number(),
        "lags_ms": list_of(number()),
        "machine_cpu": number(),
        "cores": whole(),
        "late_wall_ms": number(-1e18),
        "connections": list_of(_CONNECTIONS, _MAX_PARTS),
    },
)


def event_fault(event: Mapping[str, Any]) -> str | None:
    """The fault of a line of events.jsonl, in words; None if it has none."""
    name = event.get("event")
    if not isinstance(name, str):
        return "event is missing"
    return EVENTS.get(name, anything)(event)
