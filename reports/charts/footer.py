"""The footer of every chart: the settings that its figures depend on, and their origin. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.words import wording as words
from reports.words.observed_words import is_observed
from reports.words.series import knob_words, knobs, varied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.words.wording import Cell


def footer(run: Mapping[str, Any], cells: Sequence[Cell]) -> tuple[str, str]:
    """The settings that all cells share, then the date, revision and seed of the figures."""
    return " · ".join(settings(run, cells)), " · ".join(_origin(run))


def settings(run: Mapping[str, Any], cells: Sequence[Cell]) -> list[str]:
    """Target, latency profile, scenario, keys, skew, policy, receipts and loop, unless they vary."""
    first, parts = cells[0], [str(run["target"]["label"])]
    if is_observed(run):
        return [*parts, str(first["scenario"]), words.counted(first["users"], "connection"), "observed"]
    parts += [str(first["scenario"])] * _shared(cells, "scenario")
    parts += [f"{words.count(first['keys'])} keys"] * _shared(cells, "keys")
    parts += [f"{first['skew']} ({words.d_eff(first['d_eff'])})"] * (
        _shared(cells, "skew") and _shared(cells, "keys")
    )
    parts += [knob_words(name, value) for name, value in knobs(first).items() if name not in varied(cells)]
    parts += [words.retry_words(first["retry"])] * _shared(cells, "retry")
    retried = any(cell["retry"] != "none" for cell in cells)
    parts += [words.redraw_words(first["redraw"])] * (retried and _shared(cells, "redraw"))
    parts += ["with receipts"] * bool((run.get("options") or {}).get("receipts"))
    return [*parts, _loop(run)]


def _shared(cells: Sequence[Cell], name: str) -> bool:
    return len({cell[name] for cell in cells}) == 1


def _loop(run: Mapping[str, Any]) -> str:
    think_s = run.get("think_s") or 0
    return f"{run['loop']} loop" + (f", think time {words.plain(think_s)} s" if think_s else "")


def _origin(run: Mapping[str, Any]) -> list[str]:
    started = str(run.get("started_utc") or "")[:16].replace("T", " ")
    revision, seed = run.get("git_revision"), run.get("seed")
    parts = [
        "hotrow",
        f"{started} UTC" if started else "",
        f"revision {str(revision)[:10]}" if revision else "",
    ]
    return [part for part in (*parts, f"seed {seed}" if seed is not None else "") if part]
