"""Findings on the client and on stalls: whether it kept up, stood still or had its clock changed.

A server that stood still is here too. This module holds the limits of these findings.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hotrow.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_CLIENT_LAG_MS_P99 = 10.0
"""An event loop that is later than this sends late and measures late."""
MAX_CLIENT_CPU = 0.9
"""Share of one core. Above it the client, not the database, limits the rates."""
MIN_CLOCK_STEP_MS = 100.0
"""A synchronized clock is slewed by less than this per second."""
MAX_MACHINE_CPU = 0.9
"""Share of all cores of the client's machine. Above it a process that wakes up finds no free core."""
_MIN_STOOD_SHARE = 0.01
"""Share of the measured interval. Shorter stalls do not reach the p99."""
_MAX_LISTED = 3
"""Stalls that a message lists. It only counts the others."""
_UNMEASURED = Finding(
    "client_unmeasured",
    "there is no sample of the client's own load in the measured interval",
    "Measure for at least two seconds (--duration).",
)


def client_saturated(client: Mapping[str, Any], users: int, seconds: float) -> Finding | None:
    """A worker that used up its core, or whose event loop was late all the time.

    `client` is the field of a cell's summary.
    """
    cpu, lag_ms = client["cpu"], client["lag_ms_p99"]
    busy = cpu is not None and cpu > MAX_CLIENT_CPU
    late = lag_ms is not None and lag_ms > MAX_CLIENT_LAG_MS_P99 and not _stood_still(client, seconds)
    parts = [f"used {cpu:.0%} of a core (limit {MAX_CLIENT_CPU:.0%})"] if busy else []
    if late:
        parts.append(
            f"was late by {lag_ms:.0f} ms (p99 of its event loop; limit {MAX_CLIENT_LAG_MS_P99:.0f} ms)"
        )
        parts += [] if busy or cpu is None else [f"used {cpu:.0%} of a core itself"]
    if not parts:
        return None
    message = f"the client could not keep up: it {' and '.join(parts)}{_machine_words(client)}"
    return Finding("client_saturated", message, _relief(client, users, busy=busy), spoils=True)


def client_stalled(client: Mapping[str, Any], seconds: float) -> Finding | None:
    """A worker that stood still for more than 1 % of the measured interval."""
    if not _stood_still(client, seconds):
        return None
    stalls = (f"worker {stall['worker']} {_between(stall)}" for stall in client["stalls"][:_MAX_LISTED])
    message = (
        f"the client stood still in the measured interval: {_listed(stalls, len(client['stalls']))}; events "
        f"were up to {milliseconds(client['lag_ms_p99'])} late (p99; limit {MAX_CLIENT_LAG_MS_P99:.0f} ms)"
        f"{_machine_words(client)}"
    )
    advice = (
        "Something stopped the process: a debugger, a suspended or overloaded machine, swapping, or blocking "
        "code in the scenario. Measure again."
    )
    return Finding("client_stalled", message, advice, spoils=True)


def _stood_still(client: Mapping[str, Any], seconds: float) -> bool:
    """Whether single stalls made the client late, rather than a constant load."""
    lag_ms, stood_s = client["lag_ms_p99"], sum(map(_length_s, client["stalls"]))
    return lag_ms is not None and lag_ms > MAX_CLIENT_LAG_MS_P99 and stood_s > _MIN_STOOD_SHARE * seconds


def _length_s(span: Mapping[str, float]) -> float:
    return span["end_s"] - span["begin_s"]


def _between(span: Mapping[str, float]) -> str:
    return f"from {span['begin_s']:.1f} s to {span['end_s']:.1f} s"


def _listed(stalls: Iterable[str], count: int) -> str:
    more = count - _MAX_LISTED
    return ", ".join([*stalls, *([f"and {more} more times"] if more > 0 else [])])


def _others_cores(client: Mapping[str, Any]) -> float | None:
    """How many cores other processes of the client's machine used; None if that was not measured."""
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
    """Advice that can help: never fewer users if there is one, nor more processes on a full machine."""
    others, used_cores = _others_cores(client), client["own_cores"] or 0.0
    fewer = "" if users == 1 else "fewer users, "
    if others is not None and client["machine_cpu"] > MAX_MACHINE_CPU:
        if others > used_cores:
            return (
                "Other processes used up the machine (a database on it counts too). Stop them, or run the "
                "client on its own machine."
            )
        return f"The machine is full: use {fewer or 'a longer --think, '}or a client machine with more cores."
    if others is not None and not busy:
        return "The machine was not full, so its timer or its scheduler is late. Measure on another machine."
    return f"Use {fewer}more workers (--processes), or a faster client machine without other load."


def stalled(silences: Sequence[Mapping[str, float]]) -> Finding | None:
    """Times in which no attempt ended; `silences` is the field of a cell's summary."""
    if not silences:
        return None
    times = _listed(map(_between, silences[:_MAX_LISTED]), len(silences))
    advice = (
        "The client was on time, so the server or the network stood still. See the server's log. Rates and "
        "latency include this time."
    )
    return Finding("stalled", f"no attempt ended {times} of the measured interval", advice)


def client_unmeasured(client: Mapping[str, Any]) -> Finding | None:
    """There is no sample of the client's load; `client` is the field of a cell's summary."""
    return _UNMEASURED if client["cpu"] is None else None


def clock_stepped(step: tuple[float, int] | None) -> Finding | None:
    """A step of the wall clock; `step` is the result of `analysis.client.clock_step`: (ms, time in ns)."""
    if step is None or abs(step[0]) <= MIN_CLOCK_STEP_MS:
        return None
    step_ms, at_ns = step
    at = datetime.fromtimestamp(at_ns / 1e9, UTC)
    message = (
        f"the wall clock moved by {step_ms / 1e3:+,.1f} s at {at:%H:%M:%S} UTC of the run's clock; the "
        "figures come from the monotonic clock and are not affected"
    )
    advice = "Find out what sets the clock of the client's machine. Tokens and certificates depend on it."
    return Finding("clock_stepped", message, advice)


def milliseconds(value: float) -> str:
    """A time in ms with three significant digits and no exponent."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"  # noqa: PLR2004 - 98.7 ms but 987 ms
