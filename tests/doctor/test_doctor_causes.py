"""What servers, TLS, resolvers and AWS's library say, and the cause and cure that become of it."""

from __future__ import annotations

import pytest

from hotrow.doctor.causes import explain
from hotrow.errors import TargetError

EXPIRED = (
    'connection to server at "127.0.0.1", port 5432 failed: FATAL:  access denied\n'
    "HINT:  Signature expired: 20261124T130000Z is now earlier than 20261124T131500Z"
)

SAID = {
    "an expired token": (EXPIRED, "expired", "token"),
    "a token from the future": ("FATAL: access denied HINT: Signature not yet current: x", "future", "clock"),
    "a token of the wrong region or key": ("FATAL:  access denied", "does not accept", "region"),
    "no credentials": ("Unable to locate credentials", "no AWS credentials", "aws configure"),
    "credentials that have expired": ("ExpiredToken when calling", "have expired", "aws sso login"),
    "an unknown profile": ("The config profile (x) could not be found", "AWS_PROFILE", "aws configure"),
    "a missing CA file": ('root certificate file "/x" does not exist', "cannot be read", "sslrootcert"),
    "a foreign CA": (
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
    "an unknown host, by hotrow": ("failed to resolve host 'x'", "unknown", "--host"),
    "nobody there": ("[Errno 111] Connection refused", "nothing listens", "port"),
    "a firewall": ("connection timeout expired", "no answer", "firewall"),
    "no password": ("fe_sendauth: no password supplied", "password", "PGPASSWORD"),
    "no TLS": ("server does not support SSL, but SSL was required", "TLS", "sslmode"),
    "a pooler's own rules": ("FATAL:  unsupported startup parameter: options", "pooler", "PgBouncer"),
    "too many": ("FATAL: sorry, too many clients already", "no more connections", "minute"),
    "an idle cluster": ("FATAL: waking up cluster, please retry later", "waking up", "minute"),
    "no such database": ('FATAL:  database "x" does not exist', 'database "x" does not exist', "--host"),
    "a missing right": ("set-up refused: 42501 permission denied for x", "permission denied for x", "grant"),
}


@pytest.mark.parametrize(("text", "cause", "fix"), SAID.values(), ids=SAID.keys())
def test_every_ill_has_a_cause_and_a_cure(text: str, cause: str, fix: str) -> None:
    """One line each, whatever the error's own layout."""
    explained = explain(RuntimeError(text))

    assert cause in explained.cause
    assert fix in explained.fix
    assert "\n" not in explained.cause + explained.fix


def test_an_error_of_ours_keeps_its_words() -> None:
    """It knows more than the table of causes; the cure comes from there."""
    explained = explain(TargetError("no token for x: Unable to locate credentials; give some"))

    assert explained.cause == "no token for x: Unable to locate credentials"
    assert "aws configure" in explained.fix


def test_what_nobody_knows_is_repeated_with_its_kind() -> None:
    """On one line, and not too long."""
    explained = explain(ValueError("strange\n" * 1_000))

    assert explained.cause.startswith("ValueError: strange strange")
    assert len(explained.cause) < 400
    assert explained.fix
