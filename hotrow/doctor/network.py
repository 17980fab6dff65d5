"""The connection to a server below PostgreSQL: host name, port and TLS. Standard library only."""

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
    from hotrow.doctor.sessions import ServerAddress

TIMEOUT_S = 10.0
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""How a PostgreSQL client asks for TLS; the answer is `S` or `N` (PostgreSQL documentation, 54.2.10)."""
_YES = b"S"
_NO = b"N"
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class PortAnswer:
    """A port that accepted a connection."""

    addresses: int
    """The number of addresses of the host name; 0 for a Unix socket."""
    connect_ms: float


@dataclass(frozen=True, slots=True)
class Handshake:
    """A TLS handshake that succeeded."""

    version: str
    cipher: str
    holder: str | None
    """The name in the certificate; None if the certificate was not verified and therefore proves nothing."""
    issuer: str | None
    expires: datetime | None


def connect_to_port(server: ServerAddress) -> PortAnswer:
    """Open and close a connection to the port.

    Raises:
        OSError: the host name is unknown, or the port does not answer.
    """
    began_s = time.perf_counter()
    entries = (
        () if server.is_socket else socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    )
    _open(server).close()
    return PortAnswer(len({entry[4][0] for entry in entries}), (time.perf_counter() - began_s) * 1e3)


def shake_hands(server: ServerAddress) -> Handshake | None:
    """Ask for TLS as PostgreSQL clients do; None if the server does not offer it.

    Raises:
        OSError: the server does not answer, or its certificate is not valid (ssl.SSLError).
        TargetError: the file of certificate authorities cannot be read, or the answer is not PostgreSQL's.
    """
    context = _context(server)
    with _open(server) as plain:
        plain.sendall(_SSL_REQUEST)
        answer = plain.recv(1)
        if answer == _NO:
            return None
        if answer != _YES:
            raise TargetError(f"port {server.port} does not speak PostgreSQL; check the port in --host")
        with context.wrap_socket(plain, server_hostname=server.host) as secure:
            return _handshake(secure)


def _open(server: ServerAddress) -> socket.socket:
    if not server.is_socket:
        return socket.create_connection((server.host, server.port), TIMEOUT_S)
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(TIMEOUT_S)
    try:
        opened.connect(server.socket_path)
    except OSError:
        opened.close()
        raise
    return opened


def _context(server: ServerAddress) -> ssl.SSLContext:
    """As strict as libpq at the same sslmode: `verify-ca` accepts any name, `require` any certificate."""
    context = ssl.create_default_context(cafile=_authorities(server))
    context.check_hostname = server.sslmode == "verify-full"
    if not server.verifies:
        context.verify_mode = ssl.CERT_NONE
    return context


def _authorities(server: ServerAddress) -> str | None:
    """The file of certificate authorities to verify with; None stands for those of the system.

    Raises:
        TargetError: the file cannot be read, or contains no certificate.
    """
    if not server.verifies or server.sslrootcert == _SYSTEM:
        return None
    file = Path(server.sslrootcert or Path.home() / ".postgresql" / "root.crt")
    try:
        ssl.create_default_context(cafile=str(file))
    except OSError as error:
        reason = (
            error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no PEM certificate"
        )
        raise TargetError(f"the root certificate file {file} cannot be read: {reason}") from None
    return str(file)


def _handshake(secure: ssl.SSLSocket) -> Handshake:
    certificate: dict[str, Any] = dict(secure.getpeercert() or {})
    cipher = secure.cipher()
    return Handshake(
        version=secure.version() or "",
        cipher=cipher[0] if cipher else "",
        holder=_holder(certificate),
        issuer=_name(certificate.get("issuer", ())),
        expires=_instant(certificate.get("notAfter")),
    )


def _holder(certificate: dict[str, Any]) -> str | None:
    names = [str(name) for name_type, name in certificate.get("subjectAltName", ()) if name_type == "DNS"]
    return names[0] if names else _name(certificate.get("subject", ()))


def _name(parts: Any) -> str | None:
    """The common name of a subject or issuer in Python's form, or the organisation if there is no name."""
    fields = {key: str(value) for part in parts for key, value in part}
    return fields.get("commonName") or fields.get("organizationName")


def _instant(text: str | None) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None
