"""Which server belongs to a caller: its account, its programs and its paths.

psycopg is imported inside functions: if it were imported before Locust patches the process, it would block
every user.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.standin.account import Account, server_account
from hotrow.standin.binaries import Binaries, find_binaries, within_reach
from hotrow.standin.paths import Paths, find_paths

OWN_NAME = "hotrow server"
"""The application_name of hotrow's own short connections, which are no connections of a client."""


@dataclass(frozen=True, slots=True)
class Site:
    """The account, the programs and the paths of one server."""

    account: Account
    binaries: Binaries
    paths: Paths

    @property
    def dsn(self) -> str:
        """The libpq conninfo string of the server."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - see the module's docstring

        host = str(self.paths.socket_folder)
        return make_conninfo("", host=host, port=5432, dbname="postgres", user="postgres")

    @property
    def own_dsn(self) -> str:
        """The same for a connection of hotrow's own."""
        return f"{self.dsn} application_name='{OWN_NAME}' connect_timeout=10"

    @property
    def usable_binaries(self) -> Binaries:
        """The programs where the server's account can run them; a copy of them is made if necessary."""
        return within_reach(self.binaries, self.account, self.paths.home)


def find_site() -> Site:
    """The server that belongs to this caller and environment. Nothing is changed.

    Raises:
        TargetError: there is no usable PostgreSQL, no account to run it for root, or no folder for it.
    """
    account = server_account()
    binaries = find_binaries()
    return Site(account, binaries, find_paths(account, binaries.major))


def accepts(site: Site) -> bool:
    """Whether a server answers on the socket, even if only that it is full.

    One that starts or stops does not count.
    """
    from psycopg import pq  # noqa: PLC0415 - see the module's docstring

    return pq.PGconn.ping(site.own_dsn.encode()) == pq.Ping.OK
