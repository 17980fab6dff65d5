"""The channel between Locust's master and its workers: on loopback, encrypted, and only with a shared secret.

Locust's master listens on every interface and sends options and users to anyone who asks. Here its sockets
use CurveZMQ (https://rfc.zeromq.org/spec/26/): a worker must know the master's public key, which is never
sent over the network. With `--processes` the key is made before the workers are forked. With `--master` and
`--worker` all processes derive it from HOTROW_SECRET.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import zmq
from locust import events
from locust.rpc import zmqrpc
from zmq.utils import z85

from hotrow.console import report_error
from hotrow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locust.argument_parser import LocustArgumentParser

SECRET = "HOTROW_SECRET"  # noqa: S105 - the name of a variable
_MIN_SECRET_LENGTH = 16
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair of CurveZMQ, each key as 40 characters of Z85."""

    public: bytes
    private: bytes

    @classmethod
    def from_secret(cls, secret: str) -> Keys:
        """The pair that is derived from a secret."""
        private = z85.encode(hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest())
        return cls(zmq.curve_public(private), private)

    @classmethod
    def new(cls) -> Keys:
        """A random pair."""
        return cls(*zmq.curve_keypair())


@dataclass(frozen=True, slots=True)
class Mode:
    """How the processes of a run are started, read from the command line before Locust parses it."""

    forks: bool
    """`--processes`: one master and its workers on this machine."""
    spreads: bool
    """`--master` or `--worker`: processes that are started one by one."""


def read_mode(words: Sequence[str], environment: dict[str, str]) -> Mode:
    """The mode that Locust will use, from the command line or the environment."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    peek.add_argument("--processes", default=environment.get("LOCUST_PROCESSES"))
    peek.add_argument("--master", action="store_true", default="LOCUST_MODE_MASTER" in environment)
    peek.add_argument("--worker", action="store_true", default="LOCUST_MODE_WORKER" in environment)
    try:
        options = peek.parse_known_args(list(words))[0]
    except SystemExit:  # Locust's parser will say what is wrong
        return Mode(forks=False, spreads=False)
    several = options.processes not in {None, "", "0"}
    return Mode(
        forks=several and not options.worker, spreads=options.worker or (options.master and not several)
    )


def keys_for(mode: Mode, secret: str | None) -> Keys | None:
    """The master's keys; None if there is only one process.

    Raises:
        UsageError: processes that are started one by one have no shared secret, or one that is too short.
    """
    if mode.forks:
        return Keys.new()
    if not mode.spreads:
        return None
    if secret is None or len(secret) < _MIN_SECRET_LENGTH:
        raise UsageError(
            f"--master and --worker need {SECRET} in the environment, the same on every machine and at least "
            f"{_MIN_SECRET_LENGTH} characters long: anyone who joins a run learns its password"
        )
    return Keys.from_secret(secret)


def secured(init: Callable[..., None], keys: Keys) -> Callable[..., None]:
    """The constructor of Locust's sockets, with these keys of the master."""

    @wraps(init)
    def make(self: Any, kind: int, ipv4_only: bool) -> None:
        init(self, kind, ipv4_only)
        if kind == zmq.ROUTER:
            self.socket.curve_publickey, self.socket.curve_secretkey = keys.public, keys.private
            self.socket.curve_server = True
        else:
            self.socket.curve_publickey, self.socket.curve_secretkey = zmq.curve_keypair()
            self.socket.curve_serverkey = keys.public

    return make


def free_port() -> int:
    """A TCP port on loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@events.init_command_line_parser.add_listener
def secure(parser: LocustArgumentParser, **_: Any) -> None:
    """Make the master listen on loopback only and, with `--processes`, on a free port."""
    parser.set_defaults(master_bind_host=_LOOPBACK)
    if MODE.forks:
        port = free_port()
        parser.set_defaults(master_bind_port=port, master_port=port)


MODE = read_mode(sys.argv[1:], dict(os.environ))
try:
    _KEYS = keys_for(MODE, os.environ.get(SECRET))
except UsageError as error:
    report_error(error)
    sys.exit(error.exit_code)
if _KEYS is not None:
    zmqrpc.BaseSocket.__init__ = secured(zmqrpc.BaseSocket.__init__, _KEYS)  # type: ignore[method-assign]
