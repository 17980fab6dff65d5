"""`postgresql://…` as libpq reads it, and hotrow's own options in its query; no message repeats it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from hotrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_HOST_LENGTH = 4096
"""Characters of a `--host`."""
VANISHED: Mapping[str, str] = MappingProxyType(
    {
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
)
"""libpq's options by which a server that vanished from the network is noticed after a minute; the system's
own defaults take hours."""
_ENCODE = "percent-encode special characters, above all in the password (/ as %2F, @ as %40, = as %3D)"
_HOST = re.compile(r"(?:[\w.:%~+-]*|[/@][\w./:%~+ @-]*)")
"""A name, an address, or a Unix socket's folder."""


def refuse_unprintable(host: str) -> None:
    """Refuse a `--host` that holds what no target has.

    Raises:
        UsageError: it is very long, or holds a control character or half a surrogate pair.
    """
    if len(host) > MAX_HOST_LENGTH:
        raise UsageError(f"--host: longer than {MAX_HOST_LENGTH} characters; give one target")
    if not host.isprintable():
        raise UsageError("--host: holds a character that cannot be printed; percent-encode it in a URL")


def split_url(url: str, own: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Libpq's options that the URL stands for, and those of its query that are `own`.

    As in libpq, the user and the password end at the first @ before the first /.

    Raises:
        UsageError: libpq cannot read it, or host or port cannot be.
    """
    scheme, _, rest = url.partition("://")
    userinfo = re.match(r"[^@/]*@", rest)
    start = userinfo.end() if userinfo else 0
    place, _, query = rest[start:].partition("?")
    if "@" in place or "#" in place:
        raise UsageError(f"--host {scheme}://…: {'@' if '@' in place else '#'} in an odd place; {_ENCODE}")
    found: dict[str, str] = {}
    others = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in own:
            found[name] = unquote(value)
        else:
            others.append(pair)
    return _read(scheme, f"{scheme}://{rest[:start]}{place}?{'&'.join(others)}"), found


def _read(scheme: str, url: str) -> dict[str, str]:
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except (psycopg.Error, ValueError):  # their texts repeat what they could not read, perhaps a password
        raise UsageError(f"--host {scheme}://…: libpq cannot read this URL; {_ENCODE}") from None
    if not all(_HOST.fullmatch(host) for host in options.get("host", "").split(",")):
        raise UsageError(f"--host {scheme}://…: not a host name; {_ENCODE}")
    if not all(_is_port(port) for port in options.get("port", "").split(",")):
        raise UsageError(f"--host {scheme}://…: the port must be a number from 1 to 65535; {_ENCODE}")
    return options


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535)  # noqa: PLR2004 - TCP's
