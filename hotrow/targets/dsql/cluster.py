"""Parses `dsql://HOST[:PORT][,HOST…][/postgres][?option=value&…]`: the clusters, one per region.

Options: `user`, `region` (separated by commas if there are several hosts), `sslrootcert`, `token_life`,
`session_life`, `connect_rate`, `connect_burst` and `begin`. There is no password, because a token replaces
it.
"""

from __future__ import annotations

import re
import ssl
import stat
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from hotrow.errors import UsageError
from hotrow.masking import show_name
from hotrow.units import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "dsql://"
ADMIN = "admin"
DATABASE = "postgres"
PORT = 5432
MAX_TOKEN_LIFE_S = 604_800
MAX_SESSION_LIFE_S = 3_600
"""Aurora DSQL closes a connection after 60 minutes."""
_DEFAULTS = MappingProxyType(
    {
        "user": ADMIN,
        "region": "",
        "sslrootcert": "",
        "token_life": "15m",
        "session_life": "55m",
        "connect_rate": "100",
        "connect_burst": "1000",
        "begin": "with-first",
    }
)
_AWS_HOST = re.compile(r"[a-z0-9-]+\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws")
"""`<id>.dsql.<region>.on.aws`, and `….dsql-<word>.…` for a private endpoint."""
_HOST = re.compile(r"[A-Za-z0-9_.:-]+")
_REGION = re.compile(r"[a-z0-9-]+")
_USUAL_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Amazon Linux, Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's endpoint in one region, and the options for connecting to it. It contains no secret."""

    host: str
    port: int
    region: str
    user: str
    sslrootcert: str
    """A file of certificate authorities; empty for those of the system (see `find_authorities`)."""
    token_life_s: int
    session_life_s: float
    """The age limit of a session. Each session gets up to 10 % less, so that not all end at the same time."""
    connect_rate_per_s: float
    """New connections per second that the cluster accepts from all clients together."""
    connect_burst: float
    """New connections that the cluster accepts at once."""
    begin: str
    """When sessions send BEGIN, as written."""

    @property
    def is_aws(self) -> bool:
        """Whether the host name is Aurora DSQL's. Otherwise it is a server that behaves like Aurora DSQL."""
        return _AWS_HOST.fullmatch(self.host) is not None

    @property
    def action(self) -> str:
        """The IAM action that the user needs."""
        return "dsql:DbConnectAdmin" if self.user == ADMIN else "dsql:DbConnect"

    @property
    def address(self) -> str:
        """Host and port; the default port is left out."""
        return self.host if self.port == PORT else f"{self.host}:{self.port}"

    def description(self) -> dict[str, str | None]:
        """The cluster's entry in run.json, also for CloudWatch. Only Aurora DSQL itself has an id."""
        cluster_id = self.host.partition(".")[0] if self.is_aws else None
        return {"host": self.host, "region": self.region, "id": cluster_id}


def parse_clusters(text: str) -> tuple[Cluster, ...]:
    """The clusters that `--host dsql://…` names, in this order.

    Raises:
        UsageError: an option is unknown, a region is missing or contradicts the host, or there is a password.
    """
    if "@" in text:
        raise UsageError(
            "--host dsql://…@…: user and password are not allowed here; set the user with ?user=admin"
        )
    addresses, _, query = text.partition("?")
    if SCHEME in query:
        raise UsageError("--host dsql://…: write the options once, after the last host")
    options = _parse_options(query)
    parts = [part.removeprefix(SCHEME) for part in addresses.split(",")]
    regions = _region_options(options.pop("region"), len(parts))
    shared = _parse_shared_options(options)
    return tuple(_parse_cluster(part, region, shared) for part, region in zip(parts, regions, strict=True))


def label(clusters: tuple[Cluster, ...]) -> str:
    """The target's name in charts and reports. Only Aurora DSQL itself is called Aurora DSQL."""
    regions = " + ".join(cluster.region for cluster in clusters)
    if all(cluster.is_aws for cluster in clusters):
        return f"Aurora DSQL {regions}"
    return f"{' + '.join(cluster.address for cluster in clusters)}, as Aurora DSQL {regions}"


def find_authorities(environment: Mapping[str, str]) -> str:
    """The file with the certificate authorities of this system.

    libpq's `sslrootcert=system` does not work with psycopg's wheel: its OpenSSL looks in
    /usr/lib/psycopg-openssl, which does not exist. So the first of these files is used: SSL_CERT_FILE, the
    default of Python's OpenSSL, the usual paths, and the bundle that comes with botocore.
    """
    default = ssl.get_default_verify_paths().cafile or ""
    paths = (environment.get("SSL_CERT_FILE", ""), default, *_USUAL_BUNDLES)
    return next((path for path in paths if path and Path(path).is_file()), None) or _botocore_bundle()


def _botocore_bundle() -> str:
    from botocore.httpsession import get_cert_path  # noqa: PLC0415 - slow to import, and rarely needed

    return str(get_cert_path(verify=True))


@dataclass(frozen=True, slots=True)
class _SharedOptions:
    """The options that all clusters of a target share."""

    user: str
    sslrootcert: str
    token_life_s: int
    session_life_s: float
    connect_rate_per_s: float
    connect_burst: float
    begin: str


def _parse_options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if "password" in options:
        raise UsageError(
            "--host dsql://…: password= is not allowed; a token is signed with your AWS credentials"
        )
    if not "".join((*options, *options.values())).isprintable():
        raise UsageError("--host dsql://…: an option contains a character that cannot be printed")
    unknown = sorted(options.keys() - _DEFAULTS.keys())
    if unknown:
        raise UsageError(
            f"--host dsql://…: {show_name(unknown[0])} is unknown; options are {', '.join(_DEFAULTS)}"
        )
    return {**_DEFAULTS, **options}


def _parse_shared_options(options: Mapping[str, str]) -> _SharedOptions:
    if not options["user"]:
        raise UsageError("--host dsql://…: user= is empty; leave it out for admin, or name a role")
    return _SharedOptions(
        user=options["user"],
        sslrootcert=_parse_authorities(options["sslrootcert"]),
        token_life_s=int(_parse_life_s(options, "token_life", MAX_TOKEN_LIFE_S)),
        session_life_s=_parse_life_s(options, "session_life", MAX_SESSION_LIFE_S),
        connect_rate_per_s=_parse_number(options, "connect_rate"),
        connect_burst=_parse_number(options, "connect_burst"),
        begin=options["begin"],
    )


def _parse_authorities(path: str) -> str:
    """The path of the file; empty for those of the system, which are looked up before connecting."""
    if path in {"", "system"}:
        return ""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UsageError(f"--host dsql://…: sslrootcert={path} is not a file")
        with Path(path).open("rb"):
            return path
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--host dsql://…: sslrootcert={path} cannot be read: {reason}") from None


def _parse_life_s(options: Mapping[str, str], name: str, max_s: int) -> float:
    seconds = parse_duration_s(options[name], option=f"--host dsql://…: {name}")
    if not 1 <= seconds <= max_s:
        raise UsageError(f"--host dsql://…: {name}={options[name]} must be from 1s to {max_s}s")
    return seconds


def _parse_number(options: Mapping[str, str], name: str) -> float:
    try:
        value = float(options[name])
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise UsageError(f"--host dsql://…: {name}={options[name]} must be a number of at least 1")
    return value


def _region_options(regions: str, hosts: int) -> list[str]:
    """One region per host. A single region is that of every host."""
    names = regions.split(",")
    if len(names) not in {1, hosts}:
        raise UsageError(
            f"--host dsql://…: {len(names)} regions for {hosts} hosts; write one per host, or a single one"
        )
    return names if len(names) == hosts else names * hosts


def _parse_cluster(part: str, region: str, shared: _SharedOptions) -> Cluster:
    address, slash, database = part.partition("/")
    if slash and database not in {"", DATABASE}:
        raise UsageError(f"--host dsql://…: the only database is {DATABASE}; remove the path")
    host, port = _parse_host(address)
    options = {field.name: getattr(shared, field.name) for field in fields(_SharedOptions)}
    return Cluster(host=host, port=port, region=_parse_region(host, region), **options)


def _parse_host(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", PORT if parts.port is None else parts.port
    except ValueError:
        host, port = "", PORT
    if not _HOST.fullmatch(host) or port == 0:
        raise UsageError("--host dsql://…: the host or port is not valid; write dsql://HOST[:PORT]")
    return host, port


def _parse_region(host: str, option: str) -> str:
    """The region in the host's name, which the option must not contradict, or else that of the option."""
    match = _AWS_HOST.fullmatch(host)
    host_region = match[1] if match else ""
    if host_region and option not in {"", host_region}:
        raise UsageError(f"--host dsql://{host}: region={option} contradicts the host name: leave it out")
    region = host_region or option
    if not _REGION.fullmatch(region):
        raise UsageError(
            f"--host dsql://{host}: the host name contains no region; add for example ?region=us-east-1"
        )
    return region
