"""The assessment of measured values: every limit of the checks is here. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.doctor.checks import fail, ok, skipped, warn
from hotrow.probe.sessions import AnswerType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotrow.doctor.checks import Assessment
    from hotrow.doctor.network import Handshake, PortAnswer
    from hotrow.doctor.sessions import ClockOffset, ConnectionCount, ServerAddress, SignedToken
    from hotrow.probe.play import Played
    from hotrow.targets.target import Target

MAX_DSQL_CONNECTIONS = 10_000
"""Aurora DSQL's limit. Its `SHOW max_connections` returns 20, which means nothing."""
MAX_CONNECTIONS_SHARE = 0.8
MAX_CLOCK_OFFSET_S = 5.0
MAX_TOKEN_CLOCK_OFFSET_S = 300.0
"""AWS accepts signatures from clocks that are off by up to five minutes."""
MIN_CERTIFICATE_DAYS = 7
MAX_ROUND_TRIP_MS = 20.0
"""A round trip within a region takes 1 or 2 ms. Above this limit the client is elsewhere, and the conflict
window is mostly network time."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONFLICT = "40001 OC000"
_READ_COMMITTED = "read committed"
"""At this level every statement has its own snapshot."""


def judge_reachability(server: ServerAddress, answer: PortAnswer) -> Assessment:
    """The port answered."""
    if server.is_socket:
        return ok(f"the socket {server.socket_path} answers", connect_ms=answer.connect_ms)
    addresses = f"{answer.addresses} address{'' if answer.addresses == 1 else 'es'}"
    message = f"{server.host} has {addresses}; port {server.port} answers in {_ms(answer.connect_ms)}"
    return ok(message, addresses=answer.addresses, connect_ms=answer.connect_ms)


def judge_tls(server: ServerAddress, handshake: Handshake | None, now: datetime) -> Assessment:
    """Whether the connection is encrypted and the server verified; `handshake` is None without TLS."""
    if handshake is None:
        return _judge_missing_tls(server)
    measurements = _tls_measurements(server, handshake)
    if not server.verifies:
        return warn(
            f"{handshake.version}, but sslmode={server.sslmode} does not verify who answers",
            "set sslmode=verify-full and sslrootcert in --host",
            **measurements,
        )
    expires = handshake.expires or now
    certificate = f"{handshake.holder}, issued by {handshake.issuer}, valid until {expires:%Y-%m-%d}"
    message = f"{handshake.version}, {server.sslmode}; {certificate}"
    if (expires - now).days < MIN_CERTIFICATE_DAYS:
        return warn(message, "the certificate expires soon: have it renewed", **measurements)
    return ok(message, **measurements)


def _judge_missing_tls(server: ServerAddress) -> Assessment:
    if server.sslmode not in {"disable", "allow", "prefer"}:
        return fail(
            f"the server offers no TLS, but sslmode={server.sslmode} requires it",
            "turn TLS on at the server, or change sslmode in --host",
        )
    if server.host in _LOOPBACK:
        return skipped("not needed: the server is on this machine and offers no TLS")
    return warn(
        "the server offers no TLS: others on the network can read what is sent",
        "turn TLS on at the server, then set sslmode=verify-full in --host",
    )


def _tls_measurements(server: ServerAddress, handshake: Handshake) -> dict[str, Any]:
    return {
        "version": handshake.version,
        "cipher": handshake.cipher,
        "sslmode": server.sslmode,
        "holder": handshake.holder,
        "issuer": handshake.issuer,
        "until_utc": handshake.expires and handshake.expires.astimezone(UTC).isoformat(),
    }


def judge_token(token: SignedToken) -> Assessment:
    """The token was signed."""
    message = (
        f"signed for {token.region} in {_ms(token.sign_ms)}, valid for {token.life_s} s; "
        f"credentials from {token.credentials_source}"
    )
    return ok(
        message,
        region=token.region,
        sign_ms=token.sign_ms,
        life_s=token.life_s,
        credentials=token.credentials_source,
    )


def judge_isolation(target: Target, level: str, played: Played) -> Assessment:
    """Whether the level in --host is in force: its name, and a snapshot that stays the same."""
    requested = target.isolation.replace("-", " ")
    first, second = (_answer(played, step) for step in (1, 3))
    measurements = {"isolation": level, "snapshot_holds": first == second}
    if played.refused:
        return fail(played.refused, "see the check permissions", **measurements)
    if level != requested:
        return fail(
            f"transactions run at {level}, not at {requested}", "change isolation= in --host", **measurements
        )
    if requested == _READ_COMMITTED:
        return ok(f"{level}: each statement sees what had committed when it began", **measurements)
    if first != second:
        return fail(
            f"{level}, but a transaction read {first} and then {second}: its snapshot changed",
            "use a server, or a pooler, that isolates transactions",
            **measurements,
        )
    return ok(f"{level}; a snapshot stays the same while others commit", **measurements)


def judge_round_trips(durations_ms: Sequence[float], target: Target) -> Assessment:
    """The network round trip to the server."""
    percentiles = quantiles(durations_ms)
    message = f"{_percentiles_text(percentiles)}{_latency_note(target)}"
    if percentiles["p50"] > MAX_ROUND_TRIP_MS:
        return warn(
            message,
            "run hotrow in the server's region: every statement of a transaction takes this long, and "
            "conflicts grow with the time that a transaction is open",
            rtt_ms=percentiles,
        )
    return ok(message, rtt_ms=percentiles)


def judge_commits(durations_ms: Sequence[float], target: Target) -> Assessment:
    """The duration of COMMIT."""
    percentiles = quantiles(durations_ms)
    message = f"{_percentiles_text(percentiles)}, one row{_latency_note(target)}"
    return ok(message, commit_ms=percentiles)


def judge_conflict(target: Target, played: Played) -> Assessment:
    """How two writers of one row conflict: at COMMIT, or by waiting for a row lock."""
    second_write, first_commit, second_commit = (_answer(played, step) for step in (3, 4, 5))
    answers = {"second_write": second_write, "first_commit": first_commit, "second_commit": second_commit}
    if _waited(played):
        return _judge_wait(target, "the second writer of a row waits for the first", answers)
    if (first_commit, second_commit) == ("COMMIT", _CONFLICT):
        return ok("two sessions wrote one row: the second to commit got 40001 OC000 at COMMIT", **answers)
    if played.refused:
        return fail(played.refused, "see the check permissions", **answers)
    return fail(
        f"two sessions wrote one row: the second write got {second_write}, "
        f"the COMMITs {first_commit} and {second_commit}",
        "Aurora DSQL conflicts differently; `hotrow probe` on this target shows all differences",
        **answers,
    )


def judge_for_update(target: Target, played: Played) -> Assessment:
    """Whether COMMIT checks a row that was read FOR UPDATE."""
    read, second_write, last = (_answer(played, step) for step in (2, 3, 5))
    answers = {"read": read, "write": second_write, "commit": last}
    if _waited(played):
        return _judge_wait(target, "FOR UPDATE locks the row: a writer waits for it", answers)
    if last == _CONFLICT:
        return ok("accepted and takes no lock; the reader got 40001 OC000 at COMMIT", **answers)
    if played.refused:
        return fail(played.refused, "see the check permissions", **answers)
    return fail(
        f"the read got {read}, the other session's write {second_write}, the reader's COMMIT {last}: "
        "the read was not checked",
        "do not rely on FOR UPDATE on this target; `hotrow probe --only lock` shows more",
        **answers,
    )


def _judge_wait(target: Target, message: str, answers: dict[str, Any]) -> Assessment:
    """A statement waited for a row lock. PostgreSQL does this, Aurora DSQL never does."""
    if target.conflicts == "locks":
        return ok(f"{message} (row locks): contention shows as waiting, not as conflicts", **answers)
    return fail(message, "this is not Aurora DSQL, which never waits: use -H postgresql://…", **answers)


def judge_connections(count: ConnectionCount, target_type: str) -> Assessment:
    """Whether there is room for the connections of a run."""
    limit = MAX_DSQL_CONNECTIONS if target_type == "dsql" else count.limit
    message = f"{count.open:,} of {limit:,} connections in use"
    measurements = {"connections": count.open, "connections_most": limit}
    if count.open > MAX_CONNECTIONS_SHARE * limit:
        advice = "each user of a run holds one connection: close other clients, or use fewer users"
        return warn(message, advice, **measurements)
    return ok(message, **measurements)


def judge_clock(clock: ClockOffset, target_type: str) -> Assessment:
    """The server's clock minus this machine's. If they differ by minutes, tokens are refused."""
    offset_s = abs(clock.offset_s)
    direction = "ahead of" if clock.offset_s >= 0 else "behind"
    error = _ms(clock.error_s * 1e3)
    message = f"the server's clock is {_ms(offset_s * 1e3)} {direction} this machine's, ± {error}"
    measurements = {"offset_ms": clock.offset_s * 1e3, "within_ms": clock.error_s * 1e3}
    if offset_s <= MAX_CLOCK_OFFSET_S:
        return ok(message, **measurements)
    advice = "set this machine's clock (NTP)"
    if offset_s > MAX_TOKEN_CLOCK_OFFSET_S and target_type == "dsql":
        return fail(message, f"{advice}: beyond five minutes no token is accepted", **measurements)
    return warn(message, f"{advice}, or the server's", **measurements)


def quantiles(durations_ms: Sequence[float]) -> dict[str, Any]:
    """`n`, and p50 and p99 by linear interpolation; None if there are no values."""
    if not durations_ms:
        return {"n": 0, "p50": None, "p99": None}
    p50, p99 = np.quantile(np.asarray(durations_ms), (0.5, 0.99))
    return {"n": len(durations_ms), "p50": float(p50), "p99": float(p99)}


def _percentiles_text(percentiles: dict[str, Any]) -> str:
    return f"n {percentiles['n']}, p50 {_ms(percentiles['p50'])}, p99 {_ms(percentiles['p99'])}"


def _answer(played: Played, step: int) -> str:
    answer = played.observed[step].answer
    return answer.text if answer else "not reached"


def _waited(played: Played) -> bool:
    return any(step.answer is not None and step.answer.type is AnswerType.WAITS for step in played.observed)


def _latency_note(target: Target) -> str:
    return "" if target.latency is None else " (includes the injected latency)"


def _ms(value: float) -> str:
    """Three significant figures, in ms or s."""
    if value >= 1_000:  # noqa: PLR2004 - a second
        return f"{value / 1_000:.3g} s"
    return f"{value:.3g} ms" if value >= 0.01 else "<0.01 ms"  # noqa: PLR2004 - less is noise
