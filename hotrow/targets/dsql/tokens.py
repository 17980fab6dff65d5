"""The token that connections use as their password: signed with AWS credentials, kept, and renewed in time.

Signing needs no network, but finding the credentials may: with an instance profile, 256 simultaneous first
signings ended in NoCredentialsError. So all users of a process share one token, and one of them signs it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hotrow.errors import TargetError
from hotrow.masking import one_line
from hotrow.targets.dsql.aws import open_session
from hotrow.targets.dsql.cluster import ADMIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotrow.targets.dsql.cluster import Cluster

RENEW_AT_SHARE = 0.8
"""The share of a token's life after which it is renewed, although it is still valid."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and the wall clock time in seconds at which to renew it."""

    text: str
    renew_at_s: float

    def __repr__(self) -> str:
        return "_Token(…)"


class Tokens:
    """The current token of one cluster and database user, for all users of this process.

    The lock is Python's. If Locust has patched the process, waiting for it lets other users run.
    """

    def __init__(
        self, cluster: Cluster, sign: Callable[[Cluster], str], clock: Callable[[], float] = time.time
    ) -> None:
        self._cluster = cluster
        self._sign = sign
        self._clock = clock
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self.signing_s = 0.0
        """The total time of signing tokens so far."""

    def current(self) -> str:
        """A token with at least a fifth of its life left.

        Raises:
            TargetError: there are no AWS credentials, or signing failed.
        """
        with self._lock:
            now_s = self._clock()
            if self._token is None or now_s >= self._token.renew_at_s:
                self._token = _Token(self._signed(), now_s + RENEW_AT_SHARE * self._cluster.token_life_s)
            return self._token.text

    def discard(self, token: str) -> None:
        """Stop using this token, because the server reported it as expired. A newer token is kept."""
        with self._lock:
            if self._token is not None and self._token.text == token:
                self._token = None

    def _signed(self) -> str:
        began_s = time.perf_counter()
        try:
            return self._sign(self._cluster)
        finally:
            self.signing_s += time.perf_counter() - began_s


class Signer:
    """Signs tokens with boto3 and its usual chain of credentials. The first token takes 130 ms."""

    def __init__(self) -> None:
        self._client: Any = None

    def __call__(self, cluster: Cluster) -> str:
        """A new token.

        Raises:
            TargetError: there are no AWS credentials, or signing failed.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import, and only here

        try:
            client = self._client = self._client or _make_client(cluster.region)
            generate = (
                client.generate_db_connect_admin_auth_token
                if cluster.user == ADMIN
                else client.generate_db_connect_auth_token
            )
            return str(generate(Hostname=cluster.host, Region=cluster.region, ExpiresIn=cluster.token_life_s))
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            # the last two: files and programs that AWS's configuration names
            reason = one_line(str(error)).rstrip(".")
            raise TargetError(
                f"no token for {cluster.address}: {reason}; provide AWS credentials for boto3 "
                "with AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of this machine"
            ) from None


def _make_client(region: str) -> Any:
    _keep_signatures_out_of_logs()
    return open_session().client("dsql", region_name=region)


def _keep_signatures_out_of_logs() -> None:
    """At DEBUG botocore logs the signed text and the signature, which together are a token."""
    logger = logging.getLogger("botocore")
    logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
