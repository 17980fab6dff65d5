"""Verifies the password of an Aurora DSQL connection: a presigned URL without its scheme. Pure.

`HOST/?Action=DbConnectAdmin&X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=…&X-Amz-Expires=…&X-Amz-SignedHeaders=host
&X-Amz-Signature=…`, signed for the service `dsql` by AWS Signature Version 4 in its query-string form (AWS
documentation, "Create a signed AWS API request"). There is one spelling of each value: escapes other than the
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
CLOCK_AHEAD_S_MAX = 300
"""How far a signer's clock may run ahead, as for AWS."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_LIFE = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_SIGNATURE = "X-Amz-Signature"
_SECRET_CHARACTERS_MIN = 16
"""AWS's own have 40."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A static pair of AWS keys."""

    access_key: str
    secret_key: str = field(repr=False)

    @property
    def guessable(self) -> bool:
        """Whether others may guess the secret key: it is short, monotonous, or from AWS's documentation."""
        secret = self.secret_key
        plain = len(secret) < _SECRET_CHARACTERS_MIN or len(set(secret)) < _SECRET_CHARACTERS_MIN // 2
        return plain or secret == self.access_key or "EXAMPLE" in secret.upper()


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a token must have been made for."""

    hosts: tuple[str, ...]
    """The names of the one endpoint."""
    region: str
    credentials: Credentials


class Denied(WireError):  # noqa: N818 - a verdict, not a fault
    """FATAL `access denied`; a hint only where a new token would help, as Aurora DSQL does it."""

    def __init__(self, hint: str = "") -> None:
        super().__init__("access denied", sqlstate="28000", hint=hint)


def action_of(user: str) -> str:
    """The IAM action that a user needs."""
    return "DbConnectAdmin" if user == ADMIN else "DbConnect"


def verify(token: str, cluster: Cluster, user: str, now: datetime) -> None:
    """Let a token pass that is good for this cluster, user and instant.

    Raises:
        Denied: it is not.
    """
    host, query = _split(token)
    values = dict(query)
    given = values.pop(_SIGNATURE, "")
    signed_at = _date(values.get("X-Amz-Date", ""))
    scope = f"{signed_at:%Y%m%d}/{cluster.region}/{SERVICE}/aws4_request"
    wanted = {
        "Action": action_of(user),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{cluster.credentials.access_key}/{scope}",
        "X-Amz-SignedHeaders": "host",
    }
    if host not in cluster.hosts or any(values.get(name) != text for name, text in wanted.items()):
        raise Denied
    expected = sign(host, values, cluster.credentials.secret_key)
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise Denied
    _check_time(signed_at, values.get("X-Amz-Expires", ""), now)


def _split(token: str) -> tuple[str, list[tuple[str, str]]]:
    """The host, and the query's names and values; whatever is not spelt canonically is refused."""
    host, slash, query = token.partition("/?")
    if not slash or not token.isascii() or not token.isprintable():
        raise Denied
    pairs = [tuple(map(_unquote, part.split("=", 1))) for part in query.split("&")]
    names = {pair[0] for pair in pairs}
    if len(names) != len(pairs) or any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - name, value
        raise Denied
    return host, [(pair[0], pair[1]) for pair in pairs]


def _unquote(text: str) -> str:
    plain = unquote_to_bytes(text).decode(errors="replace")
    if _quote(plain) != text:
        raise Denied
    return plain


def _quote(text: str) -> str:
    return quote(text, safe="-_.~")


def _date(text: str) -> datetime:
    if not _DATE.fullmatch(text):
        raise Denied
    try:
        return datetime.strptime(text, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Denied from error


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
    """AWS's rule and words: the date must not lie before now minus the life."""
    if not _LIFE.fullmatch(life) or int(life) > MAX_TOKEN_LIFE_S:
        raise Denied
    if signed_at > now + timedelta(seconds=CLOCK_AHEAD_S_MAX):
        raise Denied(f"Signature not yet current: {_text(signed_at)} is still later than {_text(now)}")
    oldest = now - timedelta(seconds=int(life))
    if signed_at < oldest:
        raise expired(signed_at, int(life), now)


def expired(signed_at: datetime, life_s: int, now: datetime) -> Denied:
    """What is said of a token that would have been good until its life was over."""
    oldest = now - timedelta(seconds=life_s)
    why = f"({_text(now)} - {life_s / 60:g} min.)"
    return Denied(f"Signature expired: {_text(signed_at)} is now earlier than {_text(oldest)} {why}")


def _text(instant: datetime) -> str:
    return instant.strftime(_DATE_FORMAT)
