"""The endpoint's process: `python -m hotrow.standin.endpoint.serve`, started by lifecycle.py.

It reads its task as JSON on standard input, so that no key is on a command line or in an environment. It
prints one line on standard output: `ready` when it listens and has written its state, or else the reason why
it cannot.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import signal
import ssl
import string
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import psutil
import trustme
import uvloop

from hotrow.standin.endpoint.control import choose_socket_path, remove_socket, serve_control
from hotrow.standin.endpoint.folder import (
    HOSTS,
    READY,
    EndpointFolder,
    EndpointState,
    write_credentials,
    write_private,
    write_state,
)
from hotrow.standin.endpoint.injection import Injection
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.listener import Listener, listen
from hotrow.standin.endpoint.login import prepare_tls
from hotrow.standin.endpoint.region_config import Limits, RegionConfig
from hotrow.standin.endpoint.token import Credentials, TokenScope
from hotrow.standin.rewriting.long_names import LONG_NAMES
from hotrow.standin.rewriting.rewrite import rewrite

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_LOCK_S = 10
_WATCH_S = 1
_OPEN_FILES = 4_096


def main() -> None:
    """Serve until SIGTERM."""
    task = json.load(sys.stdin)
    LONG_NAMES.update(task["long_names"])
    if os.fork():  # the starter waits for this process, and must not be left with a child
        os._exit(0)
    folder = EndpointFolder(Path(task["folder"]))
    lock = filelock.FileLock(folder.serving_lock)
    try:
        lock.acquire(timeout=_LOCK_S)
        uvloop.run(_serve(folder, task))
    except filelock.Timeout:
        _report("another endpoint is running or starting")
    except OSError as error:
        _report(f"{error.strerror or error}")
    finally:
        lock.release()


async def _serve(folder: EndpointFolder, task: dict[str, Any]) -> None:
    _allow_many_files()
    injection = Injection()
    servers = _listen_all(task["regions"], task["port"])
    credentials, authority, configs = _configure(task, injection)
    listeners = [Listener(config) for config in configs]
    write_private(folder.ca, authority)
    write_private(folder.bundle, f"{_system_authorities()}{authority}")
    if task["access_key"]:
        folder.credentials.unlink(missing_ok=True)
    else:
        write_credentials(folder, credentials)
    control = choose_socket_path(folder.path)
    control_server = await serve_control(control, injection)
    serving = asyncio.gather(
        *(listener.serve(sockets) for listener, sockets in zip(listeners, servers.values(), strict=True))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    ports = {region: sockets[0].getsockname()[1] for region, sockets in servers.items()}
    write_state(folder, _describe(task, ports, control))
    _report(READY)
    watching = asyncio.ensure_future(_watch(folder, serving))
    try:
        await serving
    except asyncio.CancelledError:
        watching.cancel()
        control_server.close()
        remove_socket(control, folder.path)
        folder.state.unlink(missing_ok=True)


def _listen_all(regions: dict[str, list[float]], port: int) -> dict[str, list[socket.socket]]:
    """The sockets of each region: on this port and the ports after it, or on any free ports."""
    return {region: listen(port + index if port else 0) for index, region in enumerate(regions)}


def _configure(task: dict[str, Any], injection: Injection) -> tuple[Credentials, str, list[RegionConfig]]:
    """The keys, the certificate authority, and what to serve in each region."""
    keys_given = bool(task["access_key"])
    credentials = Credentials(task["access_key"], task["secret_key"]) if keys_given else make_credentials()
    hostnames = task["hostnames"]
    context, authority = make_tls(hostnames.values())
    rules = task["rules"]
    share = Limits().connections // len(task["regions"])
    configs = [
        RegionConfig(
            TokenScope((*HOSTS, *hostnames.get(region, "").split()), region, credentials),
            Path(task["backend"]),
            context,
            partial(rewrite, rules=rules),
            Limits(connections=share),
            {} if rules else {"hotrow.rules": "off"},
            LatencyProfile(*profile),
            injection,
        )
        for region, profile in task["regions"].items()
    ]
    return credentials, authority, configs


def _describe(task: dict[str, Any], ports: dict[str, int], control: Path) -> EndpointState:
    process = psutil.Process()
    return EndpointState(
        pid=process.pid,
        started=process.create_time(),
        ports=ports,
        hostnames=task["hostnames"],
        profiles=task["regions"],
        control=str(control),
        own_credentials=not task["access_key"],
        rules=task["rules"],
    )


async def _watch(folder: EndpointFolder, serving: asyncio.Future[list[None]]) -> None:
    """End when state.json is removed: an endpoint that nobody can find must not run on."""
    while folder.state.exists():  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(_WATCH_S)
    serving.cancel()


def make_tls(hostnames: Iterable[str] = ()) -> tuple[ssl.SSLContext, str]:
    """A server's context with a new certificate for the endpoint's names, and its authority's certificate."""
    authority = trustme.CA(organization_name="hotrow", organization_unit_name="local endpoint")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS, "::1", *hostnames).configure_cert(context)
    prepare_tls(context)
    return context, authority.cert_pem.bytes().decode()


def _system_authorities() -> str:
    """The certificate authorities that this system trusts; empty if they are in no single file."""
    path = ssl.get_default_verify_paths().cafile
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, ValueError):
        return ""


def make_credentials() -> Credentials:
    """Random keys that look like AWS's and are valid for this endpoint only."""
    letters = string.ascii_uppercase + "234567"
    name = "".join(secrets.choice(letters) for _ in range(16))
    return Credentials(f"AKIA{name}", secrets.token_urlsafe(30))


def _allow_many_files() -> None:
    """Raise the limit of open files: each connection needs two."""
    current, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if limit == resource.RLIM_INFINITY else min(limit, _OPEN_FILES)
    if current != resource.RLIM_INFINITY and current < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limit))


def _report(line: str) -> None:
    """Print the one line for the starter, then close standard output."""
    print(line, flush=True)  # noqa: T201 - the starter reads it
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


if __name__ == "__main__":
    main()
