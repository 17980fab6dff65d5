"""From what was measured to a finding. Pure: every limit is here, and nothing is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from hotrow.doctor.checks import Finding, fail, ok, skipped, warn
from hotrow.probe.sessions import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotrow.doctor.reaching import Handshake, Knock
    from hotrow.doctor.sessions import ClockOffset, InUse, Place, Signed
    from hotrow.probe.play import Played
    from hotrow.targets.target import Target

DSQL_CONNECTIONS_MOST = 10_000
"""Aurora DSQL's own limit; its `SHOW max_connections` says 20 and means nothing."""
NEAR_SHARE = 0.8
CLOCK_NOTED_S = 5.0
CLOCK_MOST_S = 300.0
"""AWS takes signatures from clocks that are off by up to five minutes."""
CERTIFICATE_DAYS_LEAST = 7
ROUND_TRIP_MS_MOST = 20.0
"""Within a region it is 1 or 2 ms; above this the client is elsewhere, and the window mostly network."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CONFLICT = "40001 OC000"
_READ_COMMITTED = "read committed"
"""Its snapshot moves from statement to statement."""


def judge_knock(place: Place, knock: Knock) -> Finding:
    """The port answered."""
    if place.is_socket:
        return ok(f"the socket {place.socket_path} answers", connect_ms=knock.took_ms)
    names = f"{knock.addresses} address{'' if knock.addresses == 1 else 'es'}"
    seen = f"{place.host} has {names}; port {place.port} answers in {_ms(knock.took_ms)}"
    return ok(seen, addresses=knock.addresses, connect_ms=knock.took_ms)


def judge_tls(place: Place, shaken: Handshake | None, now: datetime) -> Finding:
    """Encrypted, and with whom."""
    if shaken is None:
        return _without_tls(place)
    facts = _tls_facts(place, shaken)
    if not place.verifies:
        return warn(
            f"{shaken.version}, but sslmode={place.sslmode} does not verify who answers",
            "set sslmode=verify-full and sslrootcert in --host",
            **facts,
        )
    until = shaken.until or now
    whose = f"{shaken.holder}, issued by {shaken.issuer}, until {until:%Y-%m-%d}"
    seen = f"{shaken.version}, {place.sslmode}; {whose}"
    if (until - now).days < CERTIFICATE_DAYS_LEAST:
        return warn(seen, "the certificate ends soon: have it renewed", **facts)
    return ok(seen, **facts)


def _without_tls(place: Place) -> Finding:
    if place.sslmode not in {"disable", "allow", "prefer"}:
        return fail(
            f"the server offers no TLS, sslmode={place.sslmode} asks for it",
            "set sslmode in --host to what the server does",
        )
    if place.host in _LOOPBACK:
        return skipped("none offered; the server is on this machine")
    return warn(
        "the server offers none: what is sent can be read on the way",
        "turn TLS on at the server, then set sslmode=verify-full in --host",
    )


def _tls_facts(place: Place, shaken: Handshake) -> dict[str, Any]:
    return {
        "version": shaken.version,
        "cipher": shaken.cipher,
        "sslmode": place.sslmode,
        "holder": shaken.holder,
        "issuer": shaken.issuer,
        "until_utc": shaken.until and shaken.until.astimezone(UTC).isoformat(),
    }


def judge_token(signed: Signed) -> Finding:
    """A token could be made."""
    seen = (
        f"signed for {signed.region} in {_ms(signed.took_ms)}, good for {signed.life_s} s; "
        f"credentials found ({signed.found_in})"
    )
    return ok(
        seen,
        region=signed.region,
        sign_ms=signed.took_ms,
        life_s=signed.life_s,
        credentials=signed.found_in,
    )


def judge_isolation(target: Target, level: str, played: Played) -> Finding:
    """The level that was asked for is in force: its name, and a snapshot that does not move."""
    wanted = target.isolation.replace("-", " ")
    first, second = (_answer(played, step) for step in (1, 3))
    facts = {"isolation": level, "snapshot_holds": first == second}
    if played.refused:
        return fail(played.refused, "see permissions", **facts)
    if level != wanted:
        return fail(f"transactions run at {level}, not {wanted}", "change isolation= in --host", **facts)
    if wanted == _READ_COMMITTED:
        return ok(f"{level}: each statement sees what had committed when it began", **facts)
    if first != second:
        return fail(
            f"{level}, but a transaction read {first} and then {second}: its snapshot moved",
            "use a server, or a pooler, that keeps transactions apart",
            **facts,
        )
    return ok(f"{level}; a snapshot stays as it was while others commit", **facts)


def judge_round_trips(taken_ms: Sequence[float], target: Target) -> Finding:
    """How far away the server is."""
    times = quantiles(taken_ms)
    seen = f"n {times['n']}, p50 {_ms(times['p50'])}, p99 {_ms(times['p99'])}{_profile(target)}"
    if times["p50"] > ROUND_TRIP_MS_MOST:
        return warn(
            seen,
            "run hotrow in the server's region: every statement of a transaction waits this long, and "
            "its conflicts grow with the time that it is open",
            rtt_ms=times,
        )
    return ok(seen, rtt_ms=times)


def judge_commits(taken_ms: Sequence[float], target: Target) -> Finding:
    """What COMMIT costs."""
    times = quantiles(taken_ms)
    seen = f"n {times['n']}, p50 {_ms(times['p50'])}, p99 {_ms(times['p99'])}, one row{_profile(target)}"
    return ok(seen, commit_ms=times)


def judge_conflict(target: Target, played: Played) -> Finding:
    """Where two writers of one row meet: at COMMIT, or at a row lock."""
    second_write, first_commit, second_commit = (_answer(played, step) for step in (3, 4, 5))
    facts = {"second_write": second_write, "first_commit": first_commit, "second_commit": second_commit}
    if _waited(played):
        return _locks(target, "the second writer of a row waits for the first", facts)
    if (first_commit, second_commit) == ("COMMIT", _CONFLICT):
        return ok("two wrote one row: the second to commit got 40001 OC000 at COMMIT", **facts)
    if played.refused:
        return fail(played.refused, "see permissions", **facts)
    return fail(
        f"two wrote one row: second write {second_write}, then COMMIT {first_commit} and {second_commit}",
        "this is not how Aurora DSQL conflicts: `hotrow probe` on this target shows where else it differs",
        **facts,
    )


def judge_for_update(target: Target, played: Played) -> Finding:
    """Whether a read FOR UPDATE is checked at COMMIT."""
    read, second_write, last = (_answer(played, step) for step in (2, 3, 5))
    facts = {"read": read, "write": second_write, "commit": last}
    if _waited(played):
        return _locks(target, "FOR UPDATE locks the row: a writer waits for it", facts)
    if last == _CONFLICT:
        return ok("accepted, takes no lock, and the reader got 40001 OC000 at COMMIT", **facts)
    if played.refused:
        return fail(played.refused, "see permissions", **facts)
    return fail(
        f"read {read}, another's write {second_write}, then COMMIT {last}: the read was not checked",
        "do not rely on FOR UPDATE here; `hotrow probe --only lock` shows more",
        **facts,
    )


def _locks(target: Target, seen: str, facts: dict[str, Any]) -> Finding:
    """A wait for a row lock: what PostgreSQL does, and what Aurora DSQL never does."""
    if target.conflicts == "locks":
        return ok(f"{seen} (row locks): contention shows as waiting, not as conflicts", **facts)
    return fail(seen, "Aurora DSQL never waits: this is not one, use -H postgresql://…", **facts)


def judge_in_use(in_use: InUse, kind: str) -> Finding:
    """How much room there is."""
    most = DSQL_CONNECTIONS_MOST if kind == "dsql" else in_use.most
    seen = f"{in_use.connections:,} of {most:,} connections in use"
    facts = {"connections": in_use.connections, "connections_most": most}
    if in_use.connections > NEAR_SHARE * most:
        return warn(seen, "a user of hotrow holds one each: end other clients, or take fewer users", **facts)
    return ok(seen, **facts)


def judge_clock(clock: ClockOffset, kind: str) -> Finding:
    """The server's clock less ours: beyond minutes, tokens are refused."""
    ahead = "ahead of" if clock.offset_s >= 0 else "behind"
    seen = f"the server's is {_ms(abs(clock.offset_s) * 1e3)} {ahead} ours, ± {_ms(clock.within_s * 1e3)}"
    facts = {"offset_ms": clock.offset_s * 1e3, "within_ms": clock.within_s * 1e3}
    off_s = abs(clock.offset_s)
    if off_s <= CLOCK_NOTED_S:
        return ok(seen, **facts)
    advice = "set this machine's clock (NTP)"
    if off_s > CLOCK_MOST_S and kind == "dsql":
        return fail(seen, f"{advice}: beyond five minutes no token is accepted", **facts)
    return warn(seen, f"{advice}, or the server's", **facts)


def quantiles(taken_ms: Sequence[float]) -> dict[str, Any]:
    """`n`, and p50 and p99 by linear interpolation; null of nothing."""
    if not taken_ms:
        return {"n": 0, "p50": None, "p99": None}
    p50, p99 = np.quantile(np.asarray(taken_ms), (0.5, 0.99))
    return {"n": len(taken_ms), "p50": float(p50), "p99": float(p99)}


def _answer(played: Played, step: int) -> str:
    answer = played.observed[step].answer
    return answer.text if answer else "not reached"


def _waited(played: Played) -> bool:
    return any(each.answer is not None and each.answer.kind is Kind.WAITS for each in played.observed)


def _profile(target: Target) -> str:
    return "" if target.latency is None else " (with the profile's latency)"


def _ms(value: float) -> str:
    """Three significant figures, in the unit that reads best."""
    if value >= 1_000:  # noqa: PLR2004 - a second
        return f"{value / 1_000:.3g} s"
    return f"{value:.3g} ms" if value >= 0.01 else "<0.01 ms"  # noqa: PLR2004 - less is noise
