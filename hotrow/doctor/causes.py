"""From what libpq, TLS, the resolver or AWS's library said to a cause and what to do about it. Pure.

libpq hands on the failure to connect as text, without an SQLSTATE, so here texts are read. What matches
nothing is repeated as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hotrow.errors import HotrowError

_HOST = "check the host name in --host: a cluster's is <id>.dsql.<region>.on.aws"
_CREDENTIALS = (
    "sign in: `aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "then `aws sts get-caller-identity`"
)
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Explained:
    """One line of what is wrong, one of what to do."""

    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class _Known:
    words: re.Pattern[str]
    cause: str
    fix: str


def _known(words: str, cause: str, fix: str) -> _Known:
    return _Known(re.compile(words, re.IGNORECASE), cause, fix)


_KNOWN = (
    _known(
        r"signature expired",
        "access denied: the token has expired",
        "sign a new token (`hotrow local token`, `aws dsql generate-db-connect-admin-auth-token`); "
        "if it was new, set this machine's clock",
    ),
    _known(
        r"not yet current",
        "access denied: the token was signed in the future",
        "set this machine's clock: it runs ahead",
    ),
    _known(
        r"access denied",
        "access denied: the server does not accept the token",
        "check that this is the cluster's region (region= in --host), that the AWS keys are its account's, "
        "and that they may do dsql:DbConnectAdmin on it (dsql:DbConnect for other users)",
    ),
    _known(
        r"(no|locate|partial) credentials|NoCredentials|credential retrieval",
        "no AWS credentials were found",
        _CREDENTIALS,
    ),
    _known(
        r"ExpiredToken|token.*expired|sso session.*expired", "the AWS credentials have expired", _CREDENTIALS
    ),
    _known(
        r"profile \(.*\) could not be found", "AWS_PROFILE names a profile that there is not", _CREDENTIALS
    ),
    _known(
        r"root certificate file|no such file.*pem|could not read root",
        "the file of the certificate authority (CA) cannot be read",
        "give a readable PEM file by sslrootcert in --host (or PGSSLROOTCERT), or sslrootcert=system",
    ),
    _known(
        r"hostname mismatch|does not match host name|not valid for",
        "the server's certificate is for another name",
        "connect by the name that the certificate carries, in --host",
    ),
    _known(
        r"certificate verify failed|self.signed|unable to get local issuer|PEM lib|NO_CERTIFICATE",
        "the server's certificate is not signed by the certificate authority (CA) that was given",
        "give the right CA by sslrootcert in --host (or PGSSLROOTCERT); for Aurora DSQL leave it out",
    ),
    _known(
        r"name or service not known|translate host name|getaddrinfo|nodename nor servname|"
        r"name resolution|no address associated|failed to resolve",
        "the host name is unknown",
        _HOST,
    ),
    _known(
        r"connection refused|no such file or directory",
        "nothing listens there",
        "check host and port in --host, and that the server runs",
    ),
    _known(
        r"timed? ?out|timeout expired|unreachable",
        "no answer in time",
        "check that this network may reach host and port: firewall, VPN, security group, VPC endpoint",
    ),
    _known(
        r"no password supplied|password authentication failed",
        "the server does not accept the password, or none was given",
        "give it by PGPASSWORD or ~/.pgpass; for an Aurora DSQL cluster use -H dsql://…, which signs tokens",
    ),
    _known(
        r"unsupported startup parameter",
        "a pooler does not take an option that --host gives",
        "leave the option out, connect to the server itself, or name it in PgBouncer's "
        "ignore_startup_parameters",
    ),
    _known(
        r"server does not support SSL|SSL is required|no encryption",
        "server and --host disagree on TLS",
        "set sslmode in --host: verify-full where the server offers TLS, disable where it does not",
    ),
    _known(
        r"53300|too many clients|remaining connection slots|rate exceeded",
        "the server takes no more connections now",
        "end other clients, or try again in a minute",
    ),
    _known(r"waking up cluster", "the cluster is idle and is waking up", "try again in a minute"),
    _known(
        r"permission denied", "", "grant the user of --host what it was refused, or connect as another user"
    ),
    _known(
        r"database .* does not exist|role .* does not exist|3D000",
        "",
        "check database and user in --host; Aurora DSQL's are postgres and admin",
    ),
)
"""In the order in which they are tried; an empty cause stands for the error's own words."""


def explain(error: Exception) -> Explained:
    """Cause and fix of an error, each one line. An error of ours says both itself."""
    text = said(error)
    if isinstance(error, OSError) and not text:
        text = type(error).__name__
    ours = isinstance(error, HotrowError)
    cause, _, fix = text.partition("; ") if ours else (text, "", "")
    for known in _KNOWN:
        if known.words.search(text):
            return Explained(cause if ours else known.cause or text, known.fix)
    if ours:
        return Explained(cause, fix or "see the message")
    return Explained(
        f"{type(error).__name__}: {text}".rstrip(": "),
        "if the message does not help, report it as a fault of hotrow",
    )


def said(error: Exception) -> str:
    """An error's words on one line, not too long."""
    return " ".join(str(error).split())[:_LONGEST]
