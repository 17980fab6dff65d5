"""Whether the client kept pace, stood still or lost its clock, and whether the server stood still.

All limits of these findings are here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CLIENT_LAG_MS_P99_MAX = 10.0
"""An event loop later than this sends late and measures late."""
CLIENT_CPU_MAX = 0.9
"""Share of one core; above it the client, not the database, sets the pace."""
CLOCK_STEP_MS_MIN = 100.0
"""A clock that is kept right is slewed by less in a second."""
MACHINE_CPU_MAX = 0.9
"""Share of all cores of the client's machine; above it there is none left for whoever wakes up."""
_STOOD_SHARE = 0.01
"""Of the measured interval: what is less is not in the p99."""
_TOLD_MOST = 3
"""Times in which something stood still; the others are counted."""
_UNMEASURED = Finding(
    "client_unmeasured",
    "there is no sample of the client's own load in this interval",
    "Measure for at least two seconds (--duration).",
)


def client_saturated(client: Mapping[str, Any], users: int, seconds: float) -> Finding | None:
    """A worker that used up its core, or whose event loop was late all along; `client` is that of a cell."""
    cpu, lag_ms = client["cpu"], client["lag_ms_p99"]
    busy = cpu is not None and cpu > CLIENT_CPU_MAX
    late = lag_ms is not None and lag_ms > CLIENT_LAG_MS_P99_MAX and not _stood_still(client, seconds)
    parts = [f"used {cpu:.0%} of a core (limit {CLIENT_CPU_MAX:.0%})"] if busy else []
    if late:
        parts.append(
            f"was late by {lag_ms:.0f} ms (p99 of its event loop; limit {CLIENT_LAG_MS_P99_MAX:.0f} ms)"
        )
        parts += [] if busy or cpu is None else [f"used {cpu:.0%} of a core itself"]
    if not parts:
        return None
    message = f"the client could not keep pace: it {' and '.join(parts)}{_machine_words(client)}"
    return Finding("client_saturated", message, _relief(client, users, busy=busy), spoils=True)


def client_stalled(client: Mapping[str, Any], seconds: float) -> Finding | None:
    """A worker that stood still for more than one in a hundred of the measured interval."""
    if not _stood_still(client, seconds):
        return None
    told = (f"worker {stall['worker']} {_between(stall)}" for stall in client["stalls"][:_TOLD_MOST])
    message = (
        f"the client stood still in the measured interval: {_listed(told, len(client['stalls']))}; an event "
        f"was late by up to {milliseconds(client['lag_ms_p99'])} (p99; limit {CLIENT_LAG_MS_P99_MAX:.0f} ms)"
        f"{_machine_words(client)}"
    )
    advice = (
        "Something stopped the process: a debugger, a suspended or overbooked machine, swapping, or code of "
        "the scenario that blocks. Measure again."
    )
    return Finding("client_stalled", message, advice, spoils=True)


def _stood_still(client: Mapping[str, Any], seconds: float) -> bool:
    """Whether single stalls made the client late, rather than a load that is always there."""
    lag_ms, stood_s = client["lag_ms_p99"], sum(map(_length_s, client["stalls"]))
    return lag_ms is not None and lag_ms > CLIENT_LAG_MS_P99_MAX and stood_s > _STOOD_SHARE * seconds


def _length_s(span: Mapping[str, float]) -> float:
    return span["end_s"] - span["begin_s"]


def _between(span: Mapping[str, float]) -> str:
    return f"from {span['begin_s']:.1f} s to {span['end_s']:.1f} s"


def _listed(told: Iterable[str], count: int) -> str:
    more = count - _TOLD_MOST
    return ", ".join([*told, *([f"and {more} times more"] if more > 0 else [])])


def _others_cores(client: Mapping[str, Any]) -> float | None:
    """How many cores other processes of the client's machine used; None if nobody measured it."""
    if client.get("machine_cpu") is None or not client.get("cores"):
        return None
    return max(0.0, float(client["machine_cpu"] * client["cores"] - (client["own_cores"] or 0.0)))


def _machine_words(client: Mapping[str, Any]) -> str:
    others = _others_cores(client)
    if others is None:
        return ""
    return (
        f"; of the machine's {client['cores']} cores the client used {client['own_cores'] or 0.0:.1f} and "
        f"other processes {others:.1f}"
    )


def _relief(client: Mapping[str, Any], users: int, *, busy: bool) -> str:
    """What would help: not fewer users if there is one, nor more processes if the machine is full."""
    others, own = _others_cores(client), client["own_cores"] or 0.0
    fewer = "" if users == 1 else "fewer users, "
    if others is not None and client["machine_cpu"] > MACHINE_CPU_MAX:
        if others > own:
            return (
                "Other processes took the machine (a database on it is one of them): stop them, or run the "
                "client on a machine of its own."
            )
        return f"The machine is full: use {fewer or 'a longer --think, '}or a client machine with more cores."
    if others is not None and not busy:
        return "The machine was not full: its timer or its scheduler is late. Measure on another machine."
    return f"Use {fewer}more workers (--processes), or a faster client machine without other load."


def stalled(silences: Sequence[Mapping[str, float]]) -> Finding | None:
    """Times in which no attempt ended; `silences` is that of a cell."""
    if not silences:
        return None
    told = _listed(map(_between, silences[:_TOLD_MOST]), len(silences))
    advice = (
        "The server or the way to it stood still, for the client was on time: see the server's log. Rates "
        "and latency hold this time too."
    )
    return Finding("stalled", f"no attempt ended {told} of the measured interval", advice)


def client_unmeasured(client: Mapping[str, Any]) -> Finding | None:
    """Nobody knows how the client fared."""
    return _UNMEASURED if client["cpu"] is None else None


def clock_stepped(step: tuple[float, int] | None) -> Finding | None:
    """A step of the wall clock, as `analysis.client.clock_step` says: ms, and when in ns."""
    if step is None or abs(step[0]) <= CLOCK_STEP_MS_MIN:
        return None
    step_ms, at_ns = step
    at = datetime.fromtimestamp(at_ns / 1e9, UTC)
    message = (
        f"the wall clock moved by {step_ms / 1e3:+,.1f} s at {at:%H:%M:%S} UTC as the run counts; figures "
        "come from the monotonic clock and are not affected"
    )
    advice = "See who sets the clock of the client's machine; tokens and certificates depend on it."
    return Finding("clock_stepped", message, advice)


def milliseconds(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"  # noqa: PLR2004 - 98.7 ms but 987 ms
