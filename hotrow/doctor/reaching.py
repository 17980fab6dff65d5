"""The way to a server, below PostgreSQL: its name, its port, and its TLS. Standard library only."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotrow.errors import TargetError

if TYPE_CHECKING:
    from hotrow.doctor.sessions import Place

TIMEOUT_S = 10.0
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""How a PostgreSQL client asks for TLS; the answer is `S` or `N` (PostgreSQL documentation, 54.2.10)."""
_YES = b"S"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Knock:
    """A port that answered."""

    addresses: int
    """How many addresses the name has; 0 for a socket."""
    took_ms: float


@dataclass(frozen=True, slots=True)
class Handshake:
    """A TLS session that could be made."""

    version: str
    cipher: str
    holder: str | None
    """Whom the certificate was issued to; None where it was not verified, and so says nothing."""
    issuer: str | None
    until: datetime | None


def knock(place: Place) -> Knock:
    """Open and close a connection to the port.

    Raises:
        OSError: the name is unknown, or nothing answers.
    """
    began_s = time.perf_counter()
    found = () if place.is_socket else socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    _open(place).close()
    return Knock(len({each[4][0] for each in found}), (time.perf_counter() - began_s) * 1e3)


def shake_hands(place: Place) -> Handshake | None:
    """Ask for TLS as PostgreSQL clients do; None where the server offers none.

    Raises:
        OSError: nothing answers, or the certificate is not good (ssl.SSLError).
        TargetError: the file of authorities cannot be read, or the server's answer is none of PostgreSQL's.
    """
    context = _context(place)
    with _open(place) as plain:
        plain.sendall(_SSL_REQUEST)
        answer = plain.recv(1)
        if answer == b"N":
            return None
        if answer != _YES:
            raise TargetError(f"port {place.port} does not speak PostgreSQL: check the port in --host")
        with context.wrap_socket(plain, server_hostname=place.host) as secure:
            return _read(secure)


def _open(place: Place) -> socket.socket:
    if not place.is_socket:
        return socket.create_connection((place.host, place.port), TIMEOUT_S)
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(TIMEOUT_S)
    try:
        opened.connect(place.socket_path)
    except OSError:
        opened.close()
        raise
    return opened


def _context(place: Place) -> ssl.SSLContext:
    """As strict as libpq is with the same words: `verify-ca` takes any name, `require` any certificate."""
    context = ssl.create_default_context(cafile=_authorities(place))
    context.check_hostname = place.sslmode == "verify-full"
    if not place.verifies:
        context.verify_mode = ssl.CERT_NONE
    return context


def _authorities(place: Place) -> str | None:
    """The file to verify with; None for those of the system.

    Raises:
        TargetError: it cannot be read, or holds no certificate.
    """
    if not place.verifies or place.sslrootcert == SYSTEM:
        return None
    file = Path(place.sslrootcert or Path.home() / ".postgresql" / "root.crt")
    try:
        ssl.create_default_context(cafile=str(file))
    except OSError as error:
        reason = (
            error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificate"
        )
        raise TargetError(f"the root certificate file {file} cannot be read: {reason}") from None
    return str(file)


def _read(secure: ssl.SSLSocket) -> Handshake:
    certificate: dict[str, Any] = dict(secure.getpeercert() or {})
    cipher = secure.cipher()
    return Handshake(
        version=secure.version() or "",
        cipher=cipher[0] if cipher else "",
        holder=_holder(certificate),
        issuer=_name(certificate.get("issuer", ())),
        until=_until(certificate.get("notAfter")),
    )


def _holder(certificate: dict[str, Any]) -> str | None:
    names = [str(name) for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return names[0] if names else _name(certificate.get("subject", ()))


def _name(parts: Any) -> str | None:
    """The common name, or else the organisation, of a subject or issuer as Python writes them."""
    fields = {key: str(value) for part in parts for key, value in part}
    return fields.get("commonName") or fields.get("organizationName")


def _until(text: str | None) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None
