"""`dsql://HOST[:PORT][,HOST…][/postgres][?option=value&…]`: one endpoint a region, and how to come in.

Options: `user`, `region` (by commas where there are several hosts), `sslrootcert`, `token_life`,
`session_life`, `connect_rate` and `connect_burst`. There is no password: a token takes its place.
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
    """One regional endpoint, and as whom and how often to connect to it. Holds no secret."""

    host: str
    port: int
    region: str
    user: str
    sslrootcert: str
    """A file of certificate authorities; empty: this system's (see `find_authorities`)."""
    token_life_s: int
    session_life_s: float
    """The longest that a session is used; up to a tenth less, so that they do not all end at once."""
    connect_rate_per_s: float
    """New connections a second that the endpoint accepts, from all clients together."""
    connect_burst: float
    """New connections that it accepts at once."""

    @property
    def is_aws(self) -> bool:
        """Whether it is Aurora DSQL itself, by its name; otherwise something that behaves like it."""
        return _AWS_HOST.fullmatch(self.host) is not None

    @property
    def action(self) -> str:
        """The IAM action that its user needs."""
        return "dsql:DbConnectAdmin" if self.user == ADMIN else "dsql:DbConnect"

    @property
    def address(self) -> str:
        """Host and port, the usual port left out."""
        return self.host if self.port == PORT else f"{self.host}:{self.port}"

    def description(self) -> dict[str, str | None]:
        """What run.json says about it, and CloudWatch needs; only Aurora DSQL itself has an id there."""
        cluster_id = self.host.partition(".")[0] if self.is_aws else None
        return {"host": self.host, "region": self.region, "id": cluster_id}


def parse_clusters(text: str) -> tuple[Cluster, ...]:
    """The endpoints that `--host dsql://…` names, in its order.

    Raises:
        UsageError: an unknown option, a region that is missing or contradicts the host, a password.
    """
    if "@" in text:
        raise UsageError("--host dsql://…@…: there is no password here; name the user by ?user=admin")
    places, _, query = text.partition("?")
    if SCHEME in query:
        raise UsageError("--host dsql://…: give the options once, after the last host")
    options = _parse_options(query)
    parts = [part.removeprefix(SCHEME) for part in places.split(",")]
    regions = _deal(options.pop("region"), len(parts))
    common = _parse_common(options)
    return tuple(_parse_place(part, region, common) for part, region in zip(parts, regions, strict=True))


def label(clusters: tuple[Cluster, ...]) -> str:
    """What charts and pages print; only what is Aurora DSQL itself is called so."""
    regions = " + ".join(cluster.region for cluster in clusters)
    if all(cluster.is_aws for cluster in clusters):
        return f"Aurora DSQL {regions}"
    return f"{' + '.join(cluster.address for cluster in clusters)}, as Aurora DSQL {regions}"


def find_authorities(environment: Mapping[str, str]) -> str:
    """The file with the certificate authorities of this system.

    libpq's `sslrootcert=system` is of no use with psycopg's wheel: its OpenSSL looks in
    /usr/lib/psycopg-openssl, which nobody has. So, in this order: SSL_CERT_FILE, what Python's OpenSSL
    finds, the usual places, and the bundle that comes with botocore.
    """
    found = ssl.get_default_verify_paths().cafile or ""
    named = (environment.get("SSL_CERT_FILE", ""), found, *_USUAL_BUNDLES)
    return next((path for path in named if path and Path(path).is_file()), None) or _botocore_bundle()


def _botocore_bundle() -> str:
    from botocore.httpsession import get_cert_path  # noqa: PLC0415 - slow to import, and rarely needed

    return str(get_cert_path(verify=True))


@dataclass(frozen=True, slots=True)
class _Common:
    """What all endpoints of a target share."""

    user: str
    sslrootcert: str
    token_life_s: int
    session_life_s: float
    connect_rate_per_s: float
    connect_burst: float


def _parse_options(query: str) -> dict[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    if "password" in given:
        raise UsageError("--host dsql://…: password= is refused; a token is made from your AWS credentials")
    if not "".join((*given, *given.values())).isprintable():
        raise UsageError("--host dsql://…: an option holds a character that cannot be printed")
    unknown = sorted(given.keys() - _DEFAULTS.keys())
    if unknown:
        raise UsageError(
            f"--host dsql://…: {show_name(unknown[0])} is unknown; options are {', '.join(_DEFAULTS)}"
        )
    return {**_DEFAULTS, **given}


def _parse_common(options: Mapping[str, str]) -> _Common:
    if not options["user"]:
        raise UsageError("--host dsql://…: user= is empty; leave it out for admin, or name a role")
    return _Common(
        user=options["user"],
        sslrootcert=_parse_authorities(options["sslrootcert"]),
        token_life_s=int(_parse_life_s(options, "token_life", MAX_TOKEN_LIFE_S)),
        session_life_s=_parse_life_s(options, "session_life", MAX_SESSION_LIFE_S),
        connect_rate_per_s=_parse_number(options, "connect_rate"),
        connect_burst=_parse_number(options, "connect_burst"),
    )


def _parse_authorities(path: str) -> str:
    """The file given; empty where the system's are wanted, which are looked for when a connection is made."""
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


def _parse_life_s(options: Mapping[str, str], name: str, most_s: int) -> float:
    seconds = parse_duration_s(options[name], option=f"--host dsql://…: {name}")
    if not 1 <= seconds <= most_s:
        raise UsageError(f"--host dsql://…: {name}={options[name]} must be from 1s to {most_s}s")
    return seconds


def _parse_number(options: Mapping[str, str], name: str) -> float:
    try:
        value = float(options[name])
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise UsageError(f"--host dsql://…: {name}={options[name]} must be a number from 1")
    return value


def _deal(regions: str, hosts: int) -> list[str]:
    """A region a host; one that was given alone is that of every host."""
    given = regions.split(",")
    if len(given) not in {1, hosts}:
        raise UsageError(
            f"--host dsql://…: {len(given)} regions for {hosts} hosts; give one for each, or one"
        )
    return given if len(given) == hosts else given * hosts


def _parse_place(part: str, region: str, common: _Common) -> Cluster:
    place, slash, database = part.partition("/")
    if slash and database not in {"", DATABASE}:
        raise UsageError(f"--host dsql://…: the only database is {DATABASE}; leave the path out")
    host, port = _parse_host(place)
    shared = {field.name: getattr(common, field.name) for field in fields(_Common)}
    return Cluster(host=host, port=port, region=_parse_region(host, region), **shared)


def _parse_host(place: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "", PORT if parts.port is None else parts.port
    except ValueError:
        host, port = "", PORT
    if not _HOST.fullmatch(host) or port == 0:
        raise UsageError("--host dsql://…: not a host, or not a port; give dsql://HOST[:PORT]")
    return host, port


def _parse_region(host: str, given: str) -> str:
    """The region in the host's name, which the option must not contradict; or the option's."""
    match = _AWS_HOST.fullmatch(host)
    named = match[1] if match else ""
    if named and given not in {"", named}:
        raise UsageError(f"--host dsql://{host}: region={given} contradicts the host's name: leave it out")
    region = named or given
    if not _REGION.fullmatch(region):
        raise UsageError(
            f"--host dsql://{host}: its name tells no region; add ?region=us-east-1, or as it may be"
        )
    return region
