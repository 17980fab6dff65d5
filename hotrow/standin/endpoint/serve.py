"""The endpoint's process: `python -m hotrow.standin.endpoint.serve`, started by lifecycle.py.

Its task comes as JSON on standard input, so that no key is in a command line or an environment. It says one
line on standard output: `ready`, once it listens and its state is recorded, or why it cannot.
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

from hotrow.standin.endpoint.control import place_socket, remove_socket, serve_control
from hotrow.standin.endpoint.front import Front, Limits, Plan, listen, prepare_tls
from hotrow.standin.endpoint.injection import Injection
from hotrow.standin.endpoint.state import HOSTS, Folder, State, write_credentials, write_private, write_state
from hotrow.standin.endpoint.talk import Profile
from hotrow.standin.endpoint.token import Cluster, Credentials
from hotrow.standin.rewriting.rewrite import rewrite

if TYPE_CHECKING:
    import socket

READY = "ready"
_LOCK_S = 10
_WATCH_S = 1
_FILES = 4_096


def main() -> None:
    """Serve until SIGTERM."""
    task = json.load(sys.stdin)
    if os.fork():  # the starter waits for this one, and must not be left with a child
        os._exit(0)
    folder = Folder(Path(task["folder"]))
    lock = filelock.FileLock(folder.serving)
    try:
        lock.acquire(timeout=_LOCK_S)
        uvloop.run(_serve(folder, task))
    except filelock.Timeout:
        _say("another endpoint is running or starting")
    except OSError as error:
        _say(f"{error.strerror or error}")
    finally:
        lock.release()


async def _serve(folder: Folder, task: dict[str, Any]) -> None:
    _allow_many_files()
    injection = Injection()
    servers = _listen_all(task["regions"], task["port"])
    credentials, authority, plans = _plan(task, injection)
    fronts = [Front(plan) for plan in plans]
    write_private(folder.ca, authority)
    if task["access_key"]:
        folder.credentials.unlink(missing_ok=True)
    else:
        write_credentials(folder, credentials)
    control = place_socket(folder.path)
    control_server = await serve_control(control, injection)
    serving = asyncio.gather(
        *(front.serve(sockets) for front, sockets in zip(fronts, servers.values(), strict=True))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    ports = {region: sockets[0].getsockname()[1] for region, sockets in servers.items()}
    write_state(folder, _describe(task, ports, control))
    _say(READY)
    watching = asyncio.ensure_future(_watch(folder, serving))
    try:
        await serving
    except asyncio.CancelledError:
        watching.cancel()
        control_server.close()
        remove_socket(control, folder.path)
        folder.state.unlink(missing_ok=True)


def _listen_all(regions: dict[str, list[float]], port: int) -> dict[str, list[socket.socket]]:
    """Sockets of each region: on this port and those after it, or on any free ones."""
    return {region: listen(port + place if port else 0) for place, region in enumerate(regions)}


def _plan(task: dict[str, Any], injection: Injection) -> tuple[Credentials, str, list[Plan]]:
    """The keys, the certificate authority, and what to serve in each region."""
    own = not task["access_key"]
    credentials = make_credentials() if own else Credentials(task["access_key"], task["secret_key"])
    context, authority = make_tls()
    rules = task["rules"]
    share = Limits().connections // len(task["regions"])
    plans = [
        Plan(
            Cluster(HOSTS, region, credentials),
            Path(task["backend"]),
            context,
            partial(rewrite, rules=rules),
            Limits(connections=share),
            {} if rules else {"hotrow.rules": "off"},
            Profile(*profile),
            injection,
        )
        for region, profile in task["regions"].items()
    ]
    return credentials, authority, plans


def _describe(task: dict[str, Any], ports: dict[str, int], control: Path) -> State:
    me = psutil.Process()
    own = not task["access_key"]
    return State(me.pid, me.create_time(), ports, task["regions"], str(control), own, task["rules"])


async def _watch(folder: Folder, serving: asyncio.Future[list[None]]) -> None:
    """End with the record: an endpoint that nobody can find any more must not run on."""
    while folder.state.exists():  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(_WATCH_S)
    serving.cancel()


def make_tls() -> tuple[ssl.SSLContext, str]:
    """A server's context with a fresh certificate for the endpoint's names, and its authority's one."""
    authority = trustme.CA(organization_name="hotrow", organization_unit_name="local endpoint")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS, "::1").configure_cert(context)
    prepare_tls(context)
    return context, authority.cert_pem.bytes().decode()


def make_credentials() -> Credentials:
    """Random keys that look like AWS's and open nothing but this endpoint."""
    letters = string.ascii_uppercase + "234567"
    name = "".join(secrets.choice(letters) for _ in range(16))
    return Credentials(f"AKIA{name}", secrets.token_urlsafe(30))


def _allow_many_files() -> None:
    """Two files a connection."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _say(line: str) -> None:
    """The one line, then no more standard output."""
    print(line, flush=True)  # noqa: T201 - the starter reads it
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


if __name__ == "__main__":
    main()
