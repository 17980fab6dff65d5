"""Parses `postgresql://…` as libpq does, with hotrow's own options. No message repeats the URL."""

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
"""In characters, of a `--host`."""
KEEPALIVE: Mapping[str, str] = MappingProxyType(
    {
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
)
"""libpq's options that detect a server that has disappeared from the network after one minute. With the
system's defaults this takes hours."""
_ENCODE = "percent-encode special characters, above all in the password (/ as %2F, @ as %40, = as %3D)"
_HOST = re.compile(r"(?:[\w.:%~+-]*|[/@][\w./:%~+ @-]*)")
"""A name, an address, or a Unix socket's folder."""


def refuse_unprintable(host: str) -> None:
    """Refuse a `--host` with characters or a length that no target has.

    Raises:
        UsageError: it is very long, or contains a control character or half of a surrogate pair.
    """
    if len(host) > MAX_HOST_LENGTH:
        raise UsageError(f"--host: longer than {MAX_HOST_LENGTH} characters; pass one target")
    if not host.isprintable():
        raise UsageError("--host: contains a character that cannot be printed; percent-encode it in a URL")


def split_url(url: str, option_names: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The options of libpq in the URL, and those of its query that are in `option_names`.

    As in libpq, the user and the password end at the first @ before the first /.

    Raises:
        UsageError: libpq cannot parse the URL, or host or port are not valid.
    """
    scheme, _, rest = url.partition("://")
    userinfo = re.match(r"[^@/]*@", rest)
    start = userinfo.end() if userinfo else 0
    address, _, query = rest[start:].partition("?")
    if "@" in address or "#" in address:
        character = "@" if "@" in address else "#"
        raise UsageError(f"--host {scheme}://…: unexpected {character} in the host or path; {_ENCODE}")
    options: dict[str, str] = {}
    libpq_pairs = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in option_names:
            options[name] = unquote(value)
        else:
            libpq_pairs.append(pair)
    return _read(scheme, f"{scheme}://{rest[:start]}{address}?{'&'.join(libpq_pairs)}"), options


def _read(scheme: str, url: str) -> dict[str, str]:
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except (psycopg.Error, ValueError):  # the texts repeat what could not be parsed, perhaps a password
        raise UsageError(f"--host {scheme}://…: libpq cannot parse this URL; {_ENCODE}") from None
    if not all(_HOST.fullmatch(host) for host in options.get("host", "").split(",")):
        raise UsageError(f"--host {scheme}://…: not a host name; {_ENCODE}")
    if not all(_is_port(port) for port in options.get("port", "").split(",")):
        raise UsageError(f"--host {scheme}://…: the port must be a number from 1 to 65535; {_ENCODE}")
    return options


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535)  # noqa: PLR2004 - TCP's
