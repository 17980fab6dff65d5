"""Starts and stops the endpoint: one background process per user, beside the stand-in's server.

The endpoint is started under a lock. It counts as started only after it listens and has written its state
(folder.py). If the starter is killed, the endpoint either runs completely or does not run at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from hotrow.errors import TargetError
from hotrow.standin.account import INHERITED_VARIABLES
from hotrow.standin.endpoint.credentials import environment_credentials
from hotrow.standin.endpoint.folder import (
    ADDRESS,
    HOST,
    READY,
    EndpointFolder,
    EndpointState,
    is_alive,
    read_state,
)
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.running import find_folder
from hotrow.standin.endpoint.token import ADMIN
from hotrow.standin.lock import hold_lock
from hotrow.standin.site import find_site

if TYPE_CHECKING:
    from pathlib import Path

REGION = "us-east-1"
"""The region if the environment names no other."""
_LOCK_S = 60
_START_S = 30
_STOP_S = 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One region of a running endpoint, as its clients see it."""

    host: str
    port: int
    region: str
    ca: Path
    """The certificate authority that verifies it."""
    bundle: Path
    """The same, after the authorities of the system."""
    dsn: str
    """A libpq conninfo string without the password, which is a token."""


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How an endpoint is to run. An option that is left out accepts a running endpoint as it is."""

    port: int = 0
    """The port of the first region; the other regions have the ports after it. 0 is any free ports."""
    rules: bool | None = None
    """Whether the endpoint refuses what Aurora DSQL refuses; by default it does."""
    regions: tuple[str, ...] = ()
    """By default the region that the environment names."""
    hostnames: tuple[str, ...] = ()
    """The cluster's name of each region; by default the endpoint has none and is reached as localhost."""
    profiles: tuple[LatencyProfile, ...] = ()
    """The latency of each region; by default none is added."""


def ensure_endpoint(options: EndpointOptions | None = None) -> Endpoint:
    """The first region of the running endpoint, which is started if none runs.

    The stand-in's server must run.

    Raises:
        TargetError: the endpoint cannot start, or runs with other options.
    """
    options = options or EndpointOptions()
    folder = find_folder()
    try:
        folder.path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{folder.path} cannot be made: {error.strerror or error}") from error
    with hold_lock(folder.lock, _LOCK_S):
        state = read_state(folder) or _start(folder, options)
    _check_options(state, options)
    return _describe(folder, state, state.region)


def _check_options(state: EndpointState, options: EndpointOptions) -> None:
    """Refuse a running endpoint that runs with other options."""
    if options.port not in {0, state.port}:
        raise TargetError(
            f"the endpoint runs on port {state.port}: `hotrow local down` first, or leave out --port"
        )
    if options.rules not in {None, state.rules}:
        runs_with = "--rules" if state.rules else "--no-rules"
        raise TargetError(f"the endpoint runs with {runs_with}: `hotrow local down` first")
    if options.regions and options.regions != tuple(state.ports):
        regions = " ".join(f"--region {region}" for region in state.ports)
        raise TargetError(f"the endpoint runs with {regions}: `hotrow local down` first")
    if options.hostnames and options.hostnames != tuple(state.hostnames.values()):
        names = " ".join(f"--hostname {name}" for name in state.hostnames.values()) or "no --hostname"
        raise TargetError(f"the endpoint runs with {names}: `hotrow local down` first")
    profiles = [[profile.rtt_s, profile.commit_s] for profile in options.profiles]
    if profiles and profiles != [*state.profiles.values()]:
        raise TargetError("the endpoint runs with other latencies: `hotrow local down` first")


def find_endpoints() -> list[Endpoint]:
    """The regions of the running endpoint; empty if none runs."""
    folder = find_folder()
    state = read_state(folder)
    return [_describe(folder, state, region) for region in state.ports] if state else []


def stop_endpoint() -> bool:
    """Stop the endpoint and wait until it has ended; False if it did not run.

    Raises:
        TargetError: it does not stop.
    """
    folder = find_folder()
    if not folder.path.exists():
        return False
    with hold_lock(folder.lock, _LOCK_S):
        state = read_state(folder)
        if state:
            _end(state)
        folder.state.unlink(missing_ok=True)
        return state is not None


def _environment_region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION


def _describe(folder: EndpointFolder, state: EndpointState, region: str) -> Endpoint:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - only after Locust has patched the process

    host = state.host(region)
    dsn = make_conninfo(
        host=host,
        **({} if host == HOST else {"hostaddr": ADDRESS}),  # so that libpq need not resolve the name
        port=state.ports[region],
        dbname="postgres",
        user=ADMIN,
        sslmode="verify-full",
        sslrootcert=str(folder.ca),
    )
    return Endpoint(host, state.ports[region], region, folder.ca, folder.bundle, dsn)


def _start(folder: EndpointFolder, options: EndpointOptions) -> EndpointState:
    """Start the process and wait until it reports that it is ready. The caller holds the lock."""
    credentials = environment_credentials()
    regions = options.regions or (_environment_region(),)
    profiles = options.profiles or (LatencyProfile(),) * len(regions)
    task = {
        "folder": str(folder.path),
        "backend": str(find_site().paths.socket),
        "port": options.port,
        "regions": {
            region: [profile.rtt_s, profile.commit_s]
            for region, profile in zip(regions, profiles, strict=True)
        },
        "hostnames": dict(zip(regions, options.hostnames, strict=False)),
        "rules": options.rules is not False,
        "long_names": read_long_names(),
        "access_key": credentials.access_key if credentials else "",
        "secret_key": credentials.secret_key if credentials else "",
    }
    line = _launch(folder, task)
    state = read_state(folder)
    if line != READY or state is None:
        reason = line or f"see {folder.log}"
        raise TargetError(
            f"the endpoint does not start: {reason}{f' (--port {options.port})' if options.port else ''}"
        )
    return state


def read_long_names() -> dict[str, str]:
    """The stand-in's long names by their stems, so that errors can show them."""
    import psycopg  # noqa: PLC0415 - only after Locust has patched the process

    with psycopg.connect(find_site().dsn) as connection:
        return dict(connection.execute("SELECT stem, name FROM hotrow_names.long").fetchall())


def _launch(folder: EndpointFolder, task: dict[str, Any]) -> str:
    """Start the process, with its task on standard input; the one line that it prints.

    It has a session of its own and only a few environment variables.
    """
    inherited = (*INHERITED_VARIABLES, "PYTHONPATH")
    with folder.log.open("wb") as log:
        try:
            completed = subprocess.run(
                [sys.executable, "-P", "-m", "hotrow.standin.endpoint.serve"],
                input=json.dumps(task).encode(),
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env={name: os.environ[name] for name in inherited if name in os.environ},
                start_new_session=True,
                timeout=_START_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"the endpoint is not ready after {_START_S} s: see {folder.log}") from error
    return completed.stdout.decode(errors="replace").strip()


def _end(state: EndpointState) -> None:
    """Send SIGTERM, and SIGKILL if that does not end the process."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(state.pid)
        process.terminate()
        if not _wait_until_gone(state):
            process.kill()
            if not _wait_until_gone(state):
                raise TargetError(f"the endpoint (process {state.pid}) does not stop")


def _wait_until_gone(state: EndpointState) -> bool:
    deadline = time.monotonic() + _STOP_S
    while is_alive(state) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(state)
