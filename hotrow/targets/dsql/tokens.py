"""The token that a connection gives as its password: made from AWS credentials, kept, and renewed in time.

Signing needs no network, but the chain of credentials may: an instance profile answered 256 simultaneous
first signings with NoCredentialsError. So one token serves a whole process, and one user makes it.
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
"""Of a token's life: then it is made anew, though the old one would still do."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A token, and when it is to be replaced in seconds of the wall clock."""

    text: str
    renew_at_s: float

    def __repr__(self) -> str:
        return "_Made(…)"


class Tokens:
    """The current token of one endpoint and user, for all users of this process.

    The lock is Python's; where Locust has patched the process it lets other users run.
    """

    def __init__(
        self, cluster: Cluster, sign: Callable[[Cluster], str], clock: Callable[[], float] = time.time
    ) -> None:
        self._cluster = cluster
        self._sign = sign
        self._clock = clock
        self._lock = threading.Lock()
        self._made: _Made | None = None
        self.signing_s = 0.0
        """Seconds that making tokens took so far."""

    def current(self) -> str:
        """A token with at least a fifth of its life before it.

        Raises:
            TargetError: there are no AWS credentials, or they cannot sign.
        """
        with self._lock:
            now_s = self._clock()
            if self._made is None or now_s >= self._made.renew_at_s:
                self._made = _Made(self._signed(), now_s + RENEW_AT_SHARE * self._cluster.token_life_s)
            return self._made.text

    def discard(self, token: str) -> None:
        """Use this token no more: the server called it expired. A newer one stays."""
        with self._lock:
            if self._made is not None and self._made.text == token:
                self._made = None

    def _signed(self) -> str:
        began_s = time.perf_counter()
        try:
            return self._sign(self._cluster)
        finally:
            self.signing_s += time.perf_counter() - began_s


class Signer:
    """Makes tokens with boto3, from its usual chain of credentials. The first one takes 130 ms."""

    def __init__(self) -> None:
        self._client: Any = None

    def __call__(self, cluster: Cluster) -> str:
        """A fresh token.

        Raises:
            TargetError: there are no AWS credentials, or they cannot sign.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import, and only here

        try:
            client = self._client = self._client or _make_client(cluster.region)
            make = (
                client.generate_db_connect_admin_auth_token
                if cluster.user == ADMIN
                else client.generate_db_connect_auth_token
            )
            return str(make(Hostname=cluster.host, Region=cluster.region, ExpiresIn=cluster.token_life_s))
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            # the last two are of files and programs that AWS's configuration names
            reason = one_line(str(error)).rstrip(".")
            raise TargetError(
                f"no token for {cluster.address}: {reason}; give AWS credentials that boto3 finds, "
                "by AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of this machine"
            ) from None


def _make_client(region: str) -> Any:
    _keep_signatures_out_of_logs()
    return open_session().client("dsql", region_name=region)


def _keep_signatures_out_of_logs() -> None:
    """At DEBUG botocore logs what it signs and the signature: all that makes a token."""
    logger = logging.getLogger("botocore")
    logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
