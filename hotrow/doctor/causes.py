"""The cause of a failed connection and its fix, recognised in the text of the error. Pure.

libpq reports a failed connection as text, without an SQLSTATE. So this module matches texts: those of libpq,
TLS, the name resolver and AWS's library. A text that matches no pattern is repeated as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hotrow.errors import HotrowError

_HOST = "check the host name in --host: a cluster's name is <id>.dsql.<region>.on.aws"
_CREDENTIALS = (
    "sign in: `aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "then `aws sts get-caller-identity`"
)
_MAX_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Explanation:
    """The cause of an error and its fix, one line each."""

    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class _KnownError:
    pattern: re.Pattern[str]
    cause: str
    fix: str


def _known(pattern: str, cause: str, fix: str) -> _KnownError:
    return _KnownError(re.compile(pattern, re.IGNORECASE), cause, fix)


_KNOWN_ERRORS = (
    _known(
        r"signature expired",
        "access denied: the token has expired",
        "sign a new token (`hotrow local token`, `aws dsql generate-db-connect-admin-auth-token`); "
        "if the token was new, set this machine's clock",
    ),
    _known(
        r"not yet current",
        "access denied: the token was signed in the future",
        "set this machine's clock: it is ahead",
    ),
    _known(
        r"access denied",
        "access denied: the server does not accept the token",
        "check that region= in --host is the cluster's region, that the AWS keys belong to the cluster's "
        "account, and that they allow dsql:DbConnectAdmin on it (dsql:DbConnect for users other than admin)",
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
        r"profile \(.*\) could not be found", "AWS_PROFILE names a profile that does not exist", _CREDENTIALS
    ),
    _known(
        r"root certificate file|no such file.*pem|could not read root",
        "the certificate authority (CA) file cannot be read",
        "set sslrootcert in --host (or PGSSLROOTCERT) to a readable PEM file, or use sslrootcert=system",
    ),
    _known(
        r"hostname mismatch|does not match host name|not valid for",
        "the server's certificate was issued for another name",
        "use the name in the certificate as the host in --host",
    ),
    _known(
        r"certificate verify failed|self.signed|unable to get local issuer|PEM lib|NO_CERTIFICATE",
        "the server's certificate is not signed by the certificate authority (CA) in use",
        "set sslrootcert in --host (or PGSSLROOTCERT) to the right CA; for Aurora DSQL leave it out",
    ),
    _known(
        r"name or service not known|translate host name|getaddrinfo|nodename nor servname|"
        r"name resolution|no address associated|failed to resolve",
        "the host name is unknown",
        _HOST,
    ),
    _known(
        r"connection refused|no such file or directory",
        "no server is listening there",
        "check host and port in --host, and that the server is running",
    ),
    _known(
        r"timed? ?out|timeout expired|unreachable",
        "no answer in time",
        "check that this network can reach host and port: firewall, VPN, security group, VPC endpoint",
    ),
    _known(
        r"no password supplied|password authentication failed",
        "the password is missing or wrong",
        "set it in PGPASSWORD or ~/.pgpass; for an Aurora DSQL cluster use -H dsql://…, which signs tokens",
    ),
    _known(
        r"unsupported startup parameter",
        "a pooler does not accept an option in --host",
        "leave the option out, connect to the server directly, or add it to PgBouncer's "
        "ignore_startup_parameters",
    ),
    _known(
        r"server does not support SSL|SSL is mandatory|SSL is required|no encryption",
        "the server and --host disagree about TLS",
        "set sslmode in --host: verify-full if the server offers TLS, disable if it does not",
    ),
    _known(
        r"53300|too many clients|remaining connection slots|rate exceeded",
        "the server accepts no more connections at the moment",
        "close other clients, or try again in a minute",
    ),
    _known(r"waking up cluster", "the cluster was idle and is waking up", "try again in a minute"),
    _known(
        r"permission denied", "", "grant the user in --host the missing right, or connect as another user"
    ),
    _known(
        r"database .* does not exist|role .* does not exist|3D000",
        "",
        "check database and user in --host; Aurora DSQL's are postgres and admin",
    ),
)
"""The patterns, in the order in which they are tried. An empty cause stands for the error's own text."""


def explain(error: Exception) -> Explanation:
    """Cause and fix of an error, one line each. The text of a HotrowError already contains both."""
    text = _on_one_line(error)
    if isinstance(error, OSError) and not text:
        text = type(error).__name__
    is_ours = isinstance(error, HotrowError)
    cause, _, fix = text.partition("; ") if is_ours else (text, "", "")
    for known in _KNOWN_ERRORS:
        if known.pattern.search(text):
            return Explanation(cause if is_ours else known.cause or text, known.fix)
    if is_ours:
        return Explanation(cause, fix or "see the message")
    return Explanation(
        f"{type(error).__name__}: {text}".rstrip(": "),
        "if the message does not help, report it as a bug in hotrow",
    )


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_MAX_LENGTH]
