"""Why a connection was refused: whether another try may help, and the message for the user.

If connecting fails, libpq reports only the server's text, without an SQLSTATE. So this module matches texts.
A FATAL error with an unknown text is retried too, because AWS has changed its texts before.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

    from hotrow.targets.dsql.cluster import Cluster


class Cause(StrEnum):
    """Why a connection is retried."""

    RATE = "rate"
    """53400: too many new connections per second."""
    FULL = "full"
    """53300: too many connections at the same time."""
    WAKING = "waking"
    """The cluster was idle and is waking up."""
    UNAVAILABLE = "unavailable"
    """XX000: a short outage of the service."""
    EXPIRED = "expired"
    """The token had expired."""
    SCHEMA = "schema"
    """40001 at the session's first statement: the schema had just changed."""
    OTHER = "other"
    """The server refused with a text that is not known here."""


_STATES = {"53400": Cause.RATE, "53300": Cause.FULL, "XX000": Cause.UNAVAILABLE, "40001": Cause.SCHEMA}
_FATAL = "FATAL:"
_EXPIRED = re.compile(r"access denied.*Signature expired", re.DOTALL)
_FINAL = re.compile(r'access denied|(role|user|database) ".*" does not exist|SSL|replication')
_CAUSES = (
    (re.compile(r"rate exceeded"), Cause.RATE),
    (re.compile(r"too many|connection limit|connection slots"), Cause.FULL),
    (re.compile(r"waking up|retry later"), Cause.WAKING),
    (re.compile(r"unavailable|internal error"), Cause.UNAVAILABLE),
)


_ADVICE = (
    (
        _EXPIRED,
        (
            "access denied, because every token had expired: set this machine's clock, "
            "or use a longer token_life= in --host"
        ),
    ),
    (
        re.compile("access denied"),
        (
            "access denied: check that the cluster is in {cluster.region} (region= in --host), and that the "
            "AWS credentials belong to its account, have not expired and allow {cluster.action}; for another "
            "user than admin, that the role exists (user= in --host) and was mapped by AWS IAM GRANT"
        ),
    ),
    (
        re.compile("role .* does not exist"),
        (
            "the role does not exist: create it as admin with CREATE ROLE … WITH LOGIN and AWS IAM GRANT, "
            "or change user= in --host"
        ),
    ),
    (re.compile("failed to resolve"), "the host does not exist: check the cluster's endpoint in --host"),
    (re.compile("Connection refused"), "no server is listening there: check host and port in --host"),
    (
        re.compile("timeout expired|timed out|unreachable"),
        "no answer: check host and port in --host, and that your network allows the connection",
    ),
    (
        re.compile("root certificate"),
        "{authorities} contains no readable certificate: change sslrootcert= in --host",
    ),
    (
        re.compile("certificate verify failed"),
        "no authority in {authorities} signed its certificate: set sslrootcert= in --host to the right file",
    ),
    (
        re.compile("does not match host name"),
        "its certificate was issued for another name: use that name as the host in --host",
    ),
)
"""The message for each pattern in an error's text; the first match counts."""


def cause_of(error: psycopg.Error) -> Cause | None:
    """Why another try may help; None if it cannot: access denied, an unknown role, no server."""
    if error.sqlstate is not None:
        return _STATES.get(error.sqlstate)
    text = str(error)
    if _EXPIRED.search(text):
        return Cause.EXPIRED
    if _FATAL not in text or _FINAL.search(text):
        return None
    return next((cause for pattern, cause in _CAUSES if pattern.search(text)), Cause.OTHER)


def was_reached(error: psycopg.Error) -> bool:
    """Whether a server answered, so that another address of the same host would give the same answer."""
    return _FATAL in str(error) or re.search(r"SSL|certificate", str(error)) is not None


def explain(error: Exception, cluster: Cluster, authorities: str) -> str:
    """What was refused and what to change, in one line."""
    text = str(error)
    facts = {"cluster": cluster, "authorities": authorities}
    advice = next((template for pattern, template in _ADVICE if pattern.search(text)), None)
    reason = _short(text) if advice is None else advice.format_map(facts)
    return f"cannot connect to {cluster.address} as {cluster.user}: {reason}"


def _short(text: str) -> str:
    """The text of the server or libpq, without the address, which the message already has."""
    line = " ".join(text.split())
    return f"{line.rpartition('failed: ')[2]}; check --host"
