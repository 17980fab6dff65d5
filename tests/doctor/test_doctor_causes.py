"""Error texts of servers, TLS, resolvers and AWS's library, with the cause and the fix shown for each."""

from __future__ import annotations

import pytest

from hotrow.doctor.causes import explain
from hotrow.errors import TargetError

EXPIRED = (
    'connection to server at "127.0.0.1", port 5432 failed: FATAL:  access denied\n'
    "HINT:  Signature expired: 20261124T130000Z is now earlier than 20261124T131500Z"
)

ERROR_TEXTS = {
    "an expired token": (EXPIRED, "expired", "token"),
    "a token from the future": ("FATAL: access denied HINT: Signature not yet current: x", "future", "clock"),
    "a token of the wrong region or key": ("FATAL:  access denied", "does not accept", "region"),
    "no credentials": ("Unable to locate credentials", "no AWS credentials", "aws configure"),
    "credentials that have expired": ("ExpiredToken when calling", "have expired", "aws sso login"),
    "an unknown profile": ("The config profile (x) could not be found", "AWS_PROFILE", "aws configure"),
    "a missing CA file": ('root certificate file "/x" does not exist', "cannot be read", "sslrootcert"),
    "another CA": (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
        "not signed",
        "sslrootcert",
    ),
    "a certificate of another name": (
        "certificate verify failed: Hostname mismatch, certificate is not valid for 'x'",
        "another name",
        "--host",
    ),
    "an unknown host": ("[Errno -2] Name or service not known", "unknown", "<region>.on.aws"),
    "an unknown host, in hotrow's words": ("failed to resolve host 'x'", "unknown", "--host"),
    "a closed port": ("[Errno 111] Connection refused", "no server is listening", "port"),
    "a firewall": ("connection timeout expired", "no answer", "firewall"),
    "no password": ("fe_sendauth: no password supplied", "password", "PGPASSWORD"),
    "no TLS": ("server does not support SSL, but SSL was required", "TLS", "sslmode"),
    "a pooler's own rules": ("FATAL:  unsupported startup parameter: options", "pooler", "PgBouncer"),
    "too many": ("FATAL: sorry, too many clients already", "no more connections", "minute"),
    "an idle cluster": ("FATAL: waking up cluster, please retry later", "waking up", "minute"),
    "no such database": ('FATAL:  database "x" does not exist', 'database "x" does not exist', "--host"),
    "a missing right": ("set-up refused: 42501 permission denied for x", "permission denied for x", "grant"),
}


@pytest.mark.parametrize(("text", "cause", "fix"), ERROR_TEXTS.values(), ids=ERROR_TEXTS.keys())
def test_every_known_error_has_a_cause_and_a_fix(text: str, cause: str, fix: str) -> None:
    """Cause and fix are one line each, whatever the layout of the error."""
    explanation = explain(RuntimeError(text))

    assert cause in explanation.cause
    assert fix in explanation.fix
    assert "\n" not in explanation.cause + explanation.fix


def test_an_error_of_ours_keeps_its_words() -> None:
    """The cause is the error's message. The fix is that of the known text in it."""
    explanation = explain(TargetError("no token for x: Unable to locate credentials; give some"))

    assert explanation.cause == "no token for x: Unable to locate credentials"
    assert "aws configure" in explanation.fix


def test_an_unknown_error_is_repeated_with_its_class() -> None:
    """The message is one line of limited length."""
    explanation = explain(ValueError("strange\n" * 1_000))

    assert explanation.cause.startswith("ValueError: strange strange")
    assert len(explanation.cause) < 400
    assert explanation.fix
