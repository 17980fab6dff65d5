"""Where a target's server is and how to log in, for a program that speaks the wire protocol itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from hotrow.errors import UsageError
from hotrow.targets.dsql.cluster import DATABASE, find_authorities
from hotrow.targets.dsql.tokens import Signer, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hotrow.targets.target import Target

_TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PORT = 5432


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One server, and the identity with which to log in. The password is never written anywhere."""

    host: str
    """A name, an address, or the folder of a Unix socket, which begins with a slash."""
    port: int
    user: str
    """Empty if the client chooses."""
    database: str
    """Empty if the client chooses."""
    password: Callable[[], str] = field(repr=False)
    """The password, or a new token; empty if there is none. Raises TargetError if no token can be signed."""
    tls: str
    """As libpq's sslmode."""
    authorities: str
    """A file with certificate authorities; empty if the server's certificate is not verified against one."""
    options: str = ""
    """The startup parameter `options`."""

    @property
    def socket_path(self) -> str:
        """The path of the server's Unix socket; empty if it is reached through the network."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else ""


def address_of(target: Target) -> ServerAddress:
    """The address of a target that has been started.

    Raises:
        UsageError: the target has several regions or hosts, or an sslmode that libpq does not have.
    """
    if target.connectors:
        return _address_of_cluster(target)
    options = {**_libpq_defaults(), **conninfo_to_dict(target.conninfo)}
    text = {name: "" if value is None else str(value) for name, value in options.items()}
    password = text.get("password", "")
    if "," in text.get("host", "") or "," in text.get("port", ""):
        raise UsageError("--to: several hosts; name the one that the tap is to use")
    mode = text.get("sslmode") or "prefer"
    if mode not in _TLS_MODES:
        raise UsageError(f"--to: sslmode must be {', '.join(_TLS_MODES)}")
    return ServerAddress(
        host=text.get("host") or "localhost",
        port=int(text.get("port") or _PORT),
        user=text.get("user", ""),
        database=text.get("dbname", ""),
        password=lambda: password,
        tls=mode,
        authorities=_authorities(text.get("sslrootcert", ""), mode),
        options=text.get("options", ""),
    )


def _libpq_defaults() -> Mapping[str, str]:
    """What libpq takes from its environment variables, such as PGPASSWORD."""
    return {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val and option.envvar and option.envvar.decode() in os.environ
    }


def _authorities(path: str, mode: str) -> str:
    if path == "system" or (mode.startswith("verify") and not path):
        return find_authorities(os.environ)
    return path


def _address_of_cluster(target: Target) -> ServerAddress:
    if len(target.connectors) > 1:
        raise UsageError("--to dsql://…: several regions; run one tap per region")
    cluster = target.connectors[0].cluster
    return ServerAddress(
        host=cluster.host,
        port=cluster.port,
        user=cluster.user,
        database=DATABASE,
        password=Tokens(cluster, Signer()).current,
        tls="verify-full",
        authorities=cluster.sslrootcert or find_authorities(os.environ),
    )
