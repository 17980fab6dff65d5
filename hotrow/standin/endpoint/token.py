"""Verifies the password of an Aurora DSQL connection: a presigned URL without its scheme. Pure.

`HOST/?Action=DbConnectAdmin&X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=…&X-Amz-SignedHeaders=host
&X-Amz-Signature=…`, signed for the service `dsql` with AWS Signature Version 4 in its query-string form (AWS
documentation, "Create a signed AWS API request"). Each value has one spelling: escapes other than the
canonical ones are refused, so that no byte of a token can be changed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from hotrow.standin.endpoint.wire import WireError

ADMIN = "admin"
SERVICE = "dsql"
MAX_TOKEN_LIFE_S = 604_800
MAX_CLOCK_AHEAD_S = 300
"""How far the signer's clock may be ahead; AWS allows the same."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_LIFE = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_TOO_LONG = (
    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
    f"{MAX_TOKEN_LIFE_S} seconds"
)
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_SIGNATURE = "X-Amz-Signature"
_MIN_SECRET_CHARACTERS = 16
"""AWS's own secret keys have 40."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A static pair of AWS keys."""

    access_key: str
    secret_key: str = field(repr=False)

    @property
    def guessable(self) -> bool:
        """Whether others may guess the secret key: it is short, monotonous, or AWS's example."""
        secret = self.secret_key
        weak = len(secret) < _MIN_SECRET_CHARACTERS or len(set(secret)) < _MIN_SECRET_CHARACTERS // 2
        return weak or secret == self.access_key or "EXAMPLE" in secret.upper()


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What a token must be made for: host, region and keys."""

    hosts: tuple[str, ...]
    """The names of the endpoint, each of which is accepted."""
    region: str
    credentials: Credentials


class AccessDenied(WireError):  # noqa: N818 - an answer to the client
    """FATAL `access denied`. As in Aurora DSQL, it has a hint only if a new token would help."""

    def __init__(self, hint: str = "") -> None:
        super().__init__("access denied", sqlstate="28000", hint=hint)


def action_of(user: str) -> str:
    """The IAM action that a user needs."""
    return "DbConnectAdmin" if user == ADMIN else "DbConnect"


def verify(token: str, scope: TokenScope, user: str, now: datetime) -> None:
    """Check that a token is valid for this scope, user and instant.

    Raises:
        AccessDenied: it is not.
    """
    host, query = _split(token)
    values = dict(query)
    signature = values.pop(_SIGNATURE, "")
    signed_at = _date(values.get("X-Amz-Date", ""))
    credential_scope = f"{signed_at:%Y%m%d}/{scope.region}/{SERVICE}/aws4_request"
    wanted = {
        "Action": action_of(user),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{scope.credentials.access_key}/{credential_scope}",
        "X-Amz-SignedHeaders": "host",
    }
    if host not in scope.hosts or any(values.get(name) != text for name, text in wanted.items()):
        raise AccessDenied
    expected = sign(host, values, scope.credentials.secret_key)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise AccessDenied
    _check_time(signed_at, values.get("X-Amz-Expires", ""), now)


def _split(token: str) -> tuple[str, list[tuple[str, str]]]:
    """The host, and the names and values of the query. Every spelling except the canonical one is refused."""
    host, slash, query = token.partition("/?")
    if not slash or not token.isascii() or not token.isprintable():
        raise AccessDenied
    pairs = [tuple(map(_unquote, part.split("=", 1))) for part in query.split("&")]
    names = {pair[0] for pair in pairs}
    if len(names) != len(pairs) or any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - name, value
        raise AccessDenied
    return host, [(pair[0], pair[1]) for pair in pairs]


def _unquote(text: str) -> str:
    plain = unquote_to_bytes(text).decode(errors="replace")
    if _quote(plain) != text:
        raise AccessDenied
    return plain


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")


def _date(text: str) -> datetime:
    if not _DATE.fullmatch(text):
        raise AccessDenied
    try:
        return datetime.strptime(text, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise AccessDenied from error


def sign(host: str, values: dict[str, str], secret_key: str) -> str:
    """The signature, in hexadecimal digits, of a GET of `/` on the host with these query values.

    The values carry the date, and the scope in X-Amz-Credential.
    """
    query = "&".join(sorted(f"{_quote(name)}={_quote(text)}" for name, text in values.items()))
    request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{_EMPTY_SHA256}"
    scope = values["X-Amz-Credential"].split("/")[1:]
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, values["X-Amz-Date"], "/".join(scope), hashed))
    key = f"AWS4{secret_key}".encode()
    for word in scope:
        key = _hmac(key, word)
    return _hmac(key, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _check_time(signed_at: datetime, life: str, now: datetime) -> None:
    """Check the date as AWS does and with AWS's messages: it must not be earlier than now minus the life."""
    if not _LIFE.fullmatch(life):
        raise AccessDenied
    if int(life) > MAX_TOKEN_LIFE_S:
        raise AccessDenied(_TOO_LONG)
    if signed_at > now + timedelta(seconds=MAX_CLOCK_AHEAD_S):
        raise AccessDenied(f"Signature not yet current: {_text(signed_at)} is still later than {_text(now)}")
    oldest = now - timedelta(seconds=int(life))
    if signed_at < oldest:
        raise expired(signed_at, int(life), now)


def expired(signed_at: datetime, life_s: int, now: datetime) -> AccessDenied:
    """The answer to a token that was valid until its life ended."""
    oldest = now - timedelta(seconds=life_s)
    why = f"({_text(now)} - {life_s / 60:g} min.)"
    return AccessDenied(f"Signature expired: {_text(signed_at)} is now earlier than {_text(oldest)} {why}")


def _text(instant: datetime) -> str:
    return instant.strftime(_DATE_FORMAT)
