"""Tokens: signed once, renewed in time, accepted by the endpoint, and written nowhere."""

from __future__ import annotations

import io
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hotrow.errors import TargetError
from hotrow.standin.endpoint.token import AccessDenied, Credentials, verify
from hotrow.standin.endpoint.token import TokenScope as Verifier
from hotrow.targets.dsql.cluster import Cluster, parse_clusters
from hotrow.targets.dsql.tokens import Signer, Tokens

HOST = "abcd1234.dsql.us-east-1.on.aws"
KEYS = Credentials("AKIATESTOFDSQLTOKENS", "a-secret-key-of-no-account-at-all")


@pytest.fixture
def cluster() -> Cluster:
    """A cluster whose tokens live for 100 s."""
    (cluster,) = parse_clusters(f"dsql://{HOST}?token_life=100s")
    return cluster


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS keys in the environment, and no other source of credentials."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)


class Counting:
    """A fake signer whose tokens are numbers."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, cluster: Cluster) -> str:
        del cluster
        self.made += 1
        return f"token {self.made}"


def test_a_token_is_kept_until_four_fifths_of_its_life(cluster: Cluster) -> None:
    """It is renewed while the old one is still valid."""
    now_s = [1000.0]
    tokens = Tokens(cluster, Counting(), clock=lambda: now_s[0])

    taken = []
    for passed_s in (0.0, 79.0, 80.0, 159.0, 160.0):
        now_s[0] = 1000.0 + passed_s
        taken.append(tokens.current())

    assert taken == ["token 1", "token 1", "token 2", "token 2", "token 3"]


def test_an_expired_token_is_discarded_once_for_all(cluster: Cluster) -> None:
    """A late report about the old token does not discard the new one."""
    tokens = Tokens(cluster, Counting(), clock=lambda: 0.0)
    expired = tokens.current()

    tokens.discard(expired)
    fresh = tokens.current()
    tokens.discard(expired)

    assert [fresh, tokens.current()] == ["token 2", "token 2"]


def test_users_that_come_together_share_one_signing(cluster: Cluster) -> None:
    """With an instance profile, 256 first signings at once ended in NoCredentialsError."""
    all_here = threading.Barrier(32)
    sign = Counting()
    tokens = Tokens(cluster, sign, clock=lambda: 0.0)
    taken: list[str] = []

    def user() -> None:
        all_here.wait()
        taken.append(tokens.current())

    users = [threading.Thread(target=user) for _ in range(32)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()

    assert (sign.made, set(taken), len(taken)) == (1, {"token 1"}, 32)


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize(("user", "other"), [("admin", "app"), ("app", "admin")])
def test_boto3_s_token_is_what_a_cluster_verifies(cluster: Cluster, user: str, other: str) -> None:
    """It is signed for this host, region, key and user's action, and is invalid for another kind of user."""
    token = Signer()(replace(cluster, user=user))

    verifier = Verifier((HOST,), "us-east-1", KEYS)
    verify(token, verifier, user, datetime.now(UTC))
    assert "X-Amz-Expires=100&" in token
    with pytest.raises(AccessDenied):
        verify(token, verifier, other, datetime.now(UTC))


@pytest.mark.usefixtures("_keys")
def test_no_signature_is_logged(cluster: Cluster) -> None:
    """At level DEBUG, botocore would log the request and its signature."""
    written = io.StringIO()
    handler, root = logging.StreamHandler(written), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        token = Signer()(cluster)
        logging.getLogger("elsewhere").debug("this is written")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    signature = token.partition("X-Amz-Signature=")[2]
    assert "this is written" in written.getvalue()
    assert len(signature) == 64
    assert signature not in written.getvalue()
    assert "AWS4-HMAC-SHA256" not in written.getvalue()


def test_without_credentials_there_is_one_clear_line(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says where boto3 looks for credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(TargetError, match="AWS_PROFILE") as caught:
        Signer()(cluster)

    assert "Unable to locate credentials" in str(caught.value)
    assert "\n" not in str(caught.value)
