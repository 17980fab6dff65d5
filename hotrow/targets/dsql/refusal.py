"""Why a connection was refused: whether another try may help, and what to tell the user.

libpq gives no SQLSTATE for a connection that was never made, only the server's text; so here, and nowhere
else, words are read. A FATAL of unknown words is tried again too: AWS has changed its words before.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

    from hotrow.targets.dsql.cluster import Cluster


class Cause(StrEnum):
    """Why a connection is tried again."""

    RATE = "rate"
    """53400: too many new connections a second."""
    FULL = "full"
    """53300: too many connections at the same time."""
    WAKING = "waking"
    """The cluster was idle and is waking up."""
    UNAVAILABLE = "unavailable"
    """XX000: a blip of the service."""
    EXPIRED = "expired"
    """The token had expired."""
    SCHEMA = "schema"
    """40001 at the session's first statement: the schema had just changed."""
    OTHER = "other"
    """The server refused in words that are not known here."""


_STATES = {"53400": Cause.RATE, "53300": Cause.FULL, "XX000": Cause.UNAVAILABLE, "40001": Cause.SCHEMA}
_FATAL = "FATAL:"
_EXPIRED = re.compile(r"access denied.*Signature expired", re.DOTALL)
_FINAL = re.compile(r'access denied|(role|user|database) ".*" does not exist|SSL|replication')
_WORDS = (
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
            "or give a longer token_life= in --host"
        ),
    ),
    (
        re.compile("access denied"),
        (
            "access denied: check that the cluster is in {cluster.region} (region= in --host), and that the "
            "AWS credentials are its account's, have not expired and allow {cluster.action} (user= in --host)"
        ),
    ),
    (
        re.compile("role .* does not exist"),
        (
            "there is no such role: make it as admin with CREATE ROLE … WITH LOGIN and AWS IAM GRANT, "
            "or change user= in --host"
        ),
    ),
    (re.compile("failed to resolve"), "there is no such host: check the cluster's endpoint in --host"),
    (re.compile("Connection refused"), "nothing listens there: check host and port in --host"),
    (
        re.compile("timeout expired|timed out|unreachable"),
        "no answer: check host and port in --host, and that the network lets you through",
    ),
    (
        re.compile("root certificate"),
        "{authorities} holds no certificate that can be read: change sslrootcert= in --host",
    ),
    (
        re.compile("certificate verify failed"),
        "no authority in {authorities} signed its certificate: give the right one by sslrootcert= in --host",
    ),
    (
        re.compile("does not match host name"),
        "its certificate is for another name: give the host in --host as the certificate has it",
    ),
)
"""What to say where an error's text matches; the first match counts."""


def cause_of(error: psycopg.Error) -> Cause | None:
    """Why it is worth another try; None where it is not: no access, no such role, nobody there."""
    if error.sqlstate is not None:
        return _STATES.get(error.sqlstate)
    text = str(error)
    if _EXPIRED.search(text):
        return Cause.EXPIRED
    if _FATAL not in text or _FINAL.search(text):
        return None
    return next((cause for words, cause in _WORDS if words.search(text)), Cause.OTHER)


def was_reached(error: psycopg.Error) -> bool:
    """Whether a server answered, so that another address of the same name would say the same."""
    return _FATAL in str(error) or re.search(r"SSL|certificate", str(error)) is not None


def explain(error: Exception, cluster: Cluster, authorities: str) -> str:
    """In one line, what was refused and what to change."""
    text = str(error)
    facts = {"cluster": cluster, "authorities": authorities}
    advice = next((said for words, said in _ADVICE if words.search(text)), None)
    reason = _short(text) if advice is None else advice.format_map(facts)
    return f"cannot connect to {cluster.address} as {cluster.user}: {reason}"


def _short(text: str) -> str:
    """What the server or libpq said, without the part that repeats where."""
    line = " ".join(text.split())
    return f"{line.rpartition('failed: ')[2]}; check --host"
