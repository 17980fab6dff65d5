"""The way to a server, below PostgreSQL: what a port answers, and where a conninfo leads."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hotrow.doctor.reaching import knock, shake_hands
from hotrow.doctor.sessions import Examination, Place
from hotrow.errors import TargetError, UsageError
from hotrow.targets.target import parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def server(says: bytes) -> Iterator[Place]:
    """A port that reads what one client asks, and gives this answer."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(8)
            client.sendall(says)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Place("127.0.0.1", listener.getsockname()[1], "prefer", "")
        thread.join()


def place(host: str) -> Place:
    return Examination(parse_target(host)).place()


def test_a_server_without_tls_is_seen_as_such() -> None:
    """`N` is PostgreSQL's no."""
    with server(b"N") as there:
        assert shake_hands(there) is None


@pytest.mark.parametrize("says", [b"HTTP/1.1 400", b""])
def test_a_port_of_something_else_is_named(says: bytes) -> None:
    """Neither yes nor no, or nothing: no PostgreSQL listens there."""
    with server(says) as there, pytest.raises(TargetError, match="does not speak PostgreSQL"):
        shake_hands(there)


def test_a_socket_is_knocked_at_by_its_file(tmp_path: Path) -> None:
    """Where there is none, that is an error; where there is one, there are no addresses to count."""
    there = Place(str(tmp_path), 5432, "prefer", "")
    with pytest.raises(OSError, match="No such file"):
        knock(there)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(there.socket_path)
        listener.listen()
        assert knock(there).addresses == 0


def test_a_missing_file_of_authorities_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    """With its path."""
    file = tmp_path / "none.pem"

    with pytest.raises(TargetError, match=f"{file} cannot be read: No such file"):
        shake_hands(Place("nobody.invalid", 5432, "verify-full", str(file)))


def test_where_a_conninfo_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words before libpq's environment, and that before its defaults; of several hosts the first."""
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("PGPORT", "6543")

    assert place("postgresql://db.example/x") == Place("db.example", 6543, "require", "")
    assert place("postgresql://db.example:1/x?sslmode=disable") == Place("db.example", 1, "disable", "")
    assert place("postgresql://a:1,b:2/x").address == "a, port 1"
    assert place("postgresql://me@/x").is_socket


def test_where_a_cluster_is(tmp_path: Path) -> None:
    """Always verified; without a file of authorities the system's."""
    file = tmp_path / "ca.pem"
    file.touch()

    assert place(f"dsql://abc.dsql.us-east-1.on.aws?sslrootcert={file}") == Place(
        "abc.dsql.us-east-1.on.aws", 5432, "verify-full", str(file)
    )
    assert place("dsql://abc.dsql.us-east-1.on.aws").sslrootcert


def test_an_unreadable_conninfo_is_refused_without_its_password() -> None:
    """A wrong usage, before anything is looked at."""
    with pytest.raises(UsageError) as caught:
        place("postgresql://u:hunter22%zz@h/x")

    assert "hunter22" not in str(caught.value)
