"""Opens this process's connections to one cluster: waits for a slot, gets a token, connects, tries again."""

from __future__ import annotations

import math
import os
import random
import socket
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from hotrow.errors import TargetError
from hotrow.targets.dsql.cluster import DATABASE, find_authorities
from hotrow.targets.dsql.refusal import Cause, cause_of, explain, was_reached
from hotrow.targets.dsql.slots import share_of
from hotrow.targets.dsql.tokens import Signer, Tokens
from hotrow.targets.url import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hotrow.targets.dsql.cluster import Cluster
    from hotrow.targets.session import Waiting

    Opened = TypeVar("Opened")

CONNECT_TIMEOUT_S = 10
RETRY_FOR_S = 30.0
"""How long a refused connection is tried again, counted from its first slot."""
BACKOFF_BASE_S = 0.1
BACKOFF_CAP_S = 3.0
SESSION_LIFE_JITTER = 0.1
_DIRECT_TLS = 170_000
"""The first version of libpq with direct TLS, which saves a round trip."""


@dataclass(slots=True)
class ConnectionCounts:
    """Counts and times of opening connections in one run."""

    opened: int = 0
    retired: int = 0
    """Sessions that were replaced because they had reached their age limit."""
    slot_wait_s: float = 0.0
    """The total time that users waited for a slot."""
    retries: Counter[Cause] = field(default_factory=Counter)


class Connector:
    """Connects the users of this process to one cluster, with a common token, rate limit and counts."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        sign: Callable[[Cluster], str] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.cluster = cluster
        self.counts = ConnectionCounts()
        self._authorities = cluster.sslrootcert or find_authorities(os.environ)
        self._tokens = Tokens(cluster, sign or Signer())
        self._signed_before_s = 0.0
        self._rng = rng or random.Random()  # noqa: S311 - spreads clients in time
        self._processes = 1
        self._slots = share_of(cluster.connect_rate_per_s, cluster.connect_burst, self._processes)

    def begin_run(self, processes: int) -> None:
        """Reset the counts, and take one of `processes` equal shares of the connection rate."""
        self.counts = ConnectionCounts()
        self._signed_before_s = self._tokens.signing_s
        if processes != self._processes:  # otherwise the bucket keeps its level from the last run
            self._processes = processes
            self._slots = share_of(self.cluster.connect_rate_per_s, self.cluster.connect_burst, processes)

    def prepare(self) -> None:
        """Sign the first token, which takes 130 ms, before a user waits for it.

        Raises:
            TargetError: there are no AWS credentials.
        """
        self._tokens.current()

    def open(self, waiting: Waiting, enter: Callable[[psycopg.Connection[Any]], Opened]) -> Opened:
        """Wait for a slot and open a connection, from which `enter` makes a session.

        A refused connection is tried again if that may help.

        Raises:
            psycopg.Error: the server refused for a permanent reason, or until the deadline.
            TargetError: no token could be signed.
        """
        deadline_s, retries = math.inf, 0
        while True:
            with self._slot(waiting):
                deadline_s = min(deadline_s, waiting.clock() + RETRY_FOR_S)
                token = self._tokens.current()
                try:
                    session = enter(self._connect(token))
                except psycopg.Error as error:
                    delay_s = self._backoff_s(retries)
                    cause = cause_of(error)
                    if cause is None or waiting.clock() + delay_s > deadline_s:
                        raise
                    self._note_refusal(cause, token, waiting.clock())
                else:
                    self.counts.opened += 1
                    return session
            retries += 1
            waiting.sleep(delay_s)

    def session_life_s(self) -> float:
        """The age limit of the next session: the cluster's, minus a random time of up to 10 %."""
        return self.cluster.session_life_s * (1 - SESSION_LIFE_JITTER * self._rng.random())

    def explain(self, error: Exception) -> str:
        """Why connecting failed and what to change, in one line."""
        return (
            str(error) if isinstance(error, TargetError) else explain(error, self.cluster, self._authorities)
        )

    def as_json(self) -> dict[str, Any]:
        """The counts for the health lines of a run."""
        return {
            "opened": self.counts.opened,
            "retired": self.counts.retired,
            "retries": {cause.value: count for cause, count in sorted(self.counts.retries.items())},
            "slot_wait_s": round(self.counts.slot_wait_s, 3),
            "token_s": round(self._tokens.signing_s - self._signed_before_s, 6),
        }

    @contextmanager
    def _slot(self, waiting: Waiting) -> Iterator[None]:
        """Wait for a slot, and hold it until the server has answered."""
        slots, asked_s = self._slots, waiting.clock()
        with slots.under_way:
            wait_s = slots.take_s(waiting.clock())
            if wait_s > 0:
                waiting.sleep(wait_s)
            self.counts.slot_wait_s += waiting.clock() - asked_s
            yield

    def _backoff_s(self, retries: int) -> float:
        """Exponential backoff with full jitter."""
        return self._rng.random() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**retries)

    def _note_refusal(self, cause: Cause, token: str, now_s: float) -> None:
        self.counts.retries[cause] += 1
        if cause is Cause.EXPIRED:
            self._tokens.discard(token)
        if cause is Cause.RATE:
            self._slots.empty(now_s)

    def _connect(self, token: str) -> psycopg.Connection[Any]:
        """One try. The next address of the host is tried only if no server answers at the last."""
        addresses = _resolve(self.cluster)
        for address in addresses[:-1]:
            try:
                return self._connect_to(address, token)
            except psycopg.OperationalError as error:
                if was_reached(error):
                    raise
        return self._connect_to(addresses[-1], token)

    def _connect_to(self, address: str, token: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            conninfo_of(self.cluster, self._authorities), hostaddr=address, password=token, autocommit=True
        )


def conninfo_of(cluster: Cluster, authorities: str) -> str:
    """A libpq conninfo string without the password, which is a token."""
    direct = {"sslnegotiation": "direct"} if pq.version() >= _DIRECT_TLS else {}
    return make_conninfo(
        "",
        host=cluster.host,
        port=cluster.port,
        dbname=DATABASE,
        user=cluster.user,
        sslmode="verify-full",
        sslrootcert=authorities,
        gssencmode="disable",  # it would cost a round trip, and no server offers it
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="hotrow",
        **KEEPALIVE,
        **direct,
    )


def _resolve(cluster: Cluster) -> Sequence[str]:
    """The addresses of the host. If Locust has patched the process, other users run in the meantime.

    Raises:
        psycopg.OperationalError: the host does not exist.
    """
    try:
        entries = socket.getaddrinfo(cluster.host, cluster.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise psycopg.OperationalError(f"failed to resolve host {cluster.host!r}: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
