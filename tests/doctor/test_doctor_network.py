"""The network connection to a server: the answer of a port, and the server address in a conninfo."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hotrow.doctor.network import connect_to_port, shake_hands
from hotrow.doctor.sessions import Examination, ServerAddress
from hotrow.errors import TargetError, UsageError
from hotrow.targets.target import parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def port(answer: bytes) -> Iterator[ServerAddress]:
    """A port that reads one client's request and sends this answer."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(8)
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield ServerAddress("127.0.0.1", listener.getsockname()[1], "prefer", "")
        thread.join()


def server_of(host: str) -> ServerAddress:
    return Examination(parse_target(host)).server()


def test_a_server_without_tls_is_recognised() -> None:
    """PostgreSQL answers `N`."""
    with port(b"N") as server:
        assert shake_hands(server) is None


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400", b""])
def test_a_port_of_another_service_is_recognised(answer: bytes) -> None:
    """Its answer is empty, or is neither yes nor no."""
    with port(answer) as server, pytest.raises(TargetError, match="does not speak PostgreSQL"):
        shake_hands(server)


def test_a_unix_socket_is_connected_to_by_its_path(tmp_path: Path) -> None:
    """A missing socket is an error. An existing one has no addresses to count."""
    server = ServerAddress(str(tmp_path), 5432, "prefer", "")
    with pytest.raises(OSError, match="No such file"):
        connect_to_port(server)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(server.socket_path)
        listener.listen()
        assert connect_to_port(server).addresses == 0


def test_a_missing_ca_file_is_reported_before_anything_is_sent(tmp_path: Path) -> None:
    """The message has the path of the file."""
    file = tmp_path / "none.pem"

    with pytest.raises(TargetError, match=f"{file} cannot be read: No such file"):
        shake_hands(ServerAddress("nobody.invalid", 5432, "verify-full", str(file)))


def test_the_server_address_of_a_conninfo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL overrides libpq's environment variables, which override its defaults. The first host counts."""
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("PGPORT", "6543")

    assert server_of("postgresql://db.example/x") == ServerAddress("db.example", 6543, "require", "")
    assert server_of("postgresql://db.example:1/x?sslmode=disable") == ServerAddress(
        "db.example", 1, "disable", ""
    )
    assert server_of("postgresql://a:1,b:2/x").text == "a, port 1"
    assert server_of("postgresql://me@/x").is_socket


def test_the_server_address_of_a_cluster(tmp_path: Path) -> None:
    """A cluster is always verified, without sslrootcert against the system's certificate authorities."""
    file = tmp_path / "ca.pem"
    file.touch()

    assert server_of(f"dsql://abc.dsql.us-east-1.on.aws?sslrootcert={file}") == ServerAddress(
        "abc.dsql.us-east-1.on.aws", 5432, "verify-full", str(file)
    )
    assert server_of("dsql://abc.dsql.us-east-1.on.aws").sslrootcert


def test_an_unreadable_conninfo_is_refused_without_its_password() -> None:
    """The error is a usage error, found before any check."""
    with pytest.raises(UsageError) as caught:
        server_of("postgresql://u:hunter22%zz@h/x")

    assert "hunter22" not in str(caught.value)
