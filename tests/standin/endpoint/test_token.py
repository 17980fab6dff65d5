"""Tokens: those that AWS's own library makes are accepted, all others are denied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from hotrow.standin.endpoint.token import AccessDenied, Credentials, TokenScope, sign, verify

CREDENTIALS = Credentials("AKIAEXAMPLE", "secret/with+signs")
CLUSTER = TokenScope(("localhost", "127.0.0.1"), "eu-west-1", CREDENTIALS)


def make(  # one parameter per part of a token
    host: str = "localhost",
    *,
    user: str = "admin",
    region: str = "eu-west-1",
    life_s: int = 900,
    credentials: Credentials = CREDENTIALS,
    session_token: str | None = None,
) -> str:
    """A token by boto3, made now."""
    session = boto3.Session(credentials.access_key, credentials.secret_key, session_token)
    client: Any = session.client("dsql", region_name=region)
    admin = user == "admin"
    generate = client.generate_db_connect_admin_auth_token if admin else client.generate_db_connect_auth_token
    return str(generate(Hostname=host, Region=region, ExpiresIn=life_s))


def now() -> datetime:
    return datetime.now(UTC)


def denial(token: str, user: str = "admin", at: datetime | None = None) -> AccessDenied:
    """How the token is refused."""
    with pytest.raises(AccessDenied) as caught:
        verify(token, CLUSTER, user, at or now())
    return caught.value


def is_accepted(token: str, user: str = "admin") -> bool:
    """Whether the token lets this user in now."""
    try:
        verify(token, CLUSTER, user, now())
    except AccessDenied:
        return False
    return True


@pytest.mark.parametrize("user", ["admin", "app"])
@pytest.mark.parametrize("host", CLUSTER.hosts)
def test_what_boto3_makes_is_accepted(user: str, host: str) -> None:
    """Each action is accepted for its users, with each name of the endpoint."""
    assert is_accepted(make(host, user=user), user)


def test_temporary_credentials_are_accepted() -> None:
    """The session token is part of the signed query."""
    assert is_accepted(make(session_token="a+/=b"))  # noqa: S106 - nobody's


def test_the_order_of_the_query_is_the_signer_s() -> None:
    """Libraries of other languages use another order; the sorted query is signed."""
    host, _, query = make().partition("/?")

    assert is_accepted(f"{host}/?{'&'.join(reversed(query.split('&')))}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "other.dsql.eu-west-1.on.aws"},
        {"host": "LOCALHOST"},
        {"host": "localhost:5432"},
        {"region": "us-east-1"},
        {"user": "app"},
        {"credentials": Credentials("AKIAEXAMPLE", "another")},
        {"credentials": Credentials("AKIAOTHER", CREDENTIALS.secret_key)},
    ],
)
def test_tokens_for_something_else_are_denied_without_a_hint(wrong: dict[str, Any]) -> None:
    """The host, the region, the action, the key and the key's id must be right."""
    error = denial(make(**wrong))

    assert (str(error), error.sqlstate, error.hint) == ("access denied", "28000", "")


@pytest.mark.parametrize(
    "token", ["", "secret", "localhost/?", "localhost/?Action=DbConnectAdmin", "é" * 100]
)
def test_a_text_that_is_no_token_is_denied(token: str) -> None:
    """Text that is no token gets the same answer."""
    assert denial(token).hint == ""


def test_an_admin_token_is_no_other_user_s() -> None:
    """The action must fit the user: tokens for admin are for admin only, and admin accepts no others."""
    assert denial(make(), "app").hint == ""


def test_no_byte_can_be_changed_left_out_or_added() -> None:
    """At every position: another character, the other case, one less, one more, one twice."""
    token = make()
    altered = [f"{token}x", f"{token}&x=y", f"{token}&Action=DbConnectAdmin"]
    for place, character in enumerate(token):
        others = {"x", "0", "%", "&", "=", "+", "\0", character.swapcase()} - {character}
        altered += [f"{token[:place]}{other}{token[place + 1 :]}" for other in others]
        altered.append(token[:place] + token[place + 1 :])
        altered += [f"{token[:place]}{added}{token[place:]}" for added in (character, "x", " ")]

    assert len(altered) > 10 * len(token)
    assert {denial(each).sqlstate for each in altered} == {"28000"}


def test_an_expired_token_gets_the_hint_that_aws_gives() -> None:
    """The hint tells a client that a new token would help."""
    token = make(life_s=900)
    verify(token, CLUSTER, "admin", now() + timedelta(seconds=890))
    hint = denial(token, at=now() + timedelta(seconds=902)).hint

    assert hint.startswith("Signature expired: ")
    assert " is now earlier than " in hint
    assert hint.endswith(" - 15 min.)")


def test_an_expired_token_with_a_bad_signature_gets_no_hint() -> None:
    """A stranger gets no hint about the time."""
    token = make(life_s=1, credentials=Credentials("AKIAEXAMPLE", "another"))
    assert denial(token, at=now() + timedelta(days=1)).hint == ""


def test_a_token_from_the_future_is_denied() -> None:
    """A clock that is up to five minutes ahead is accepted."""
    verify(make(), CLUSTER, "admin", now() - timedelta(minutes=4))
    assert denial(make(), at=now() - timedelta(minutes=6)).hint.startswith("Signature not yet current")


@pytest.mark.parametrize("life", ["0", "-1", "1e3", "", "09", "٣"])
def test_a_life_that_is_no_number_is_denied_though_signed(life: str) -> None:
    """A life is written in plain digits."""
    assert denial(_signed(life)).hint == ""


@pytest.mark.parametrize("life", ["604801", "9999999"])
def test_a_life_over_a_week_is_denied_though_signed(life: str) -> None:
    """The hint is AWS's text, which clients match."""
    assert denial(_signed(life)).hint.startswith("X-Amz-Expires must be less than a week (in seconds)")


def test_our_own_signature_is_the_same() -> None:
    """A token that the test's own signature makes is accepted if its life is allowed."""
    assert is_accepted(_signed("604800"))


def _signed(life: str) -> str:
    date = now().strftime("%Y%m%dT%H%M%SZ")
    values = {
        "Action": "DbConnectAdmin",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIAEXAMPLE/{date[:8]}/eu-west-1/dsql/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": life,
        "X-Amz-SignedHeaders": "host",
    }
    signature = sign("localhost", values, CREDENTIALS.secret_key)
    query = "&".join(f"{name}={text.replace('/', '%2F')}" for name, text in values.items())
    return f"localhost/?{query}&X-Amz-Signature={signature}"


def test_a_secret_key_is_not_shown() -> None:
    """The key is not in a `repr` either, which tracebacks may show."""
    assert CREDENTIALS.secret_key not in repr(CLUSTER)
