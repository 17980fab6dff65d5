"""The life cycle of the endpoint: one background process a user, beside the stand-in's server.

It is started under a lock, and counts as started only when it listens and has recorded itself (state.py); a
starter that is killed leaves either that or nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import psutil

from hotrow.errors import TargetError, UsageError
from hotrow.standin.endpoint.state import HOST, Folder, State, is_alive, read_credentials, read_state
from hotrow.standin.endpoint.talk import Profile
from hotrow.standin.endpoint.token import ADMIN, MAX_TOKEN_LIFE_S, Credentials
from hotrow.standin.postmaster import find_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotrow.standin.places import Places

REGION = "us-east-1"
"""Where the environment names no other."""
_LOCK_S = 60
_START_S = 30
_STOP_S = 10
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "PYTHONPATH")
_READY = "ready"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint, as its clients see it."""

    host: str
    port: int
    region: str
    ca: Path
    """The certificate authority to verify it with."""
    dsn: str
    """A libpq conninfo string; the password, a token, is not in it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How an endpoint is to run; what is left open is as it runs, or the default where it starts."""

    port: int = 0
    """Of the first region, the others have those after it; 0 is any free ones."""
    rules: bool | None = None
    """Whether it refuses what Aurora DSQL refuses; by default it does."""
    regions: tuple[str, ...] = ()
    """By default the one of the environment."""
    profiles: tuple[Profile, ...] = ()
    """Latency of each region; by default none is added."""


def ensure_endpoint(port: int = 0, *, rules: bool | None = None, wish: Wish | None = None) -> Endpoint:
    """The running endpoint, started if need be; the stand-in's server must run. The first region's.

    `port` and `rules` are a short way to say a wish.

    Raises:
        TargetError: it cannot start, or runs otherwise than asked for.
    """
    wish = wish or Wish(port, rules)
    places = find_site().places
    folder = _folder(places)
    try:
        folder.path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise TargetError(f"{folder.path} cannot be made: {error.strerror or error}") from error
    with _locked(folder):
        state = read_state(folder) or _start(folder, places, wish)
    _check_wish(state, wish)
    return _describe(folder, state, state.region)


def _check_wish(state: State, wish: Wish) -> None:
    if wish.port not in {0, state.port}:
        raise TargetError(
            f"the endpoint runs on port {state.port}: `hotrow local down` first, or leave out --port"
        )
    if wish.rules not in {None, state.rules}:
        runs_with = "--rules" if state.rules else "--no-rules"
        raise TargetError(f"the endpoint runs with {runs_with}: `hotrow local down` first")
    if wish.regions and wish.regions != tuple(state.ports):
        regions = " ".join(f"--region {region}" for region in state.ports)
        raise TargetError(f"the endpoint runs with {regions}: `hotrow local down` first")
    if wish.profiles and [[each.rtt_s, each.commit_s] for each in wish.profiles] != [
        *state.profiles.values()
    ]:
        raise TargetError("the endpoint runs with other latencies: `hotrow local down` first")


def find_endpoint() -> Endpoint | None:
    """The running endpoint, if one runs; changes nothing. The first region's."""
    return next(iter(find_endpoints()), None)


def find_endpoints() -> list[Endpoint]:
    """The running endpoint, once for each of its regions."""
    folder = _folder(find_site().places)
    state = read_state(folder)
    return [_describe(folder, state, region) for region in state.ports] if state else []


def find_control() -> Path:
    """The control socket of the running endpoint.

    Raises:
        TargetError: none runs.
    """
    return Path(_running(_folder(find_site().places)).control)


def _running(folder: Folder) -> State:
    state = read_state(folder)
    if state is None:
        raise TargetError("no endpoint runs: start it with `hotrow local up --endpoint`")
    return state


def keys_are_guessable() -> bool:
    """Whether the running endpoint was given keys that others may guess; the environment has them too."""
    state = read_state(_folder(find_site().places))
    given = _given_credentials()
    return state is not None and not state.own_credentials and given is not None and given.guessable


def stop_endpoint() -> bool:
    """Stop it and wait until it has ended; False where it did not run.

    Raises:
        TargetError: it does not stop.
    """
    folder = _folder(find_site().places)
    if not folder.path.exists():
        return False
    with _locked(folder):
        state = read_state(folder)
        if state:
            _end(state)
        folder.state.unlink(missing_ok=True)
        return state is not None


def make_token(user: str = ADMIN, life_s: int = 900, region: str = "") -> str:
    """A token that the running endpoint accepts in this region (the first), made as AWS's library makes it.

    Raises:
        TargetError: no endpoint runs, or not in that region, or its credentials are not at hand.
        UsageError: the life is not one that AWS allows.
    """
    if not 1 <= life_s <= MAX_TOKEN_LIFE_S:
        raise UsageError(f"a token lives 1 to {MAX_TOKEN_LIFE_S} seconds, not {life_s}: change --expires")
    folder = _folder(find_site().places)
    state = _running(folder)
    if region and region not in state.ports:
        raise TargetError(f"--region {region}: the endpoint has {', '.join(state.ports)}")
    return _sign(_credentials(folder, state), region or state.region, user, life_s)


def _sign(credentials: Credentials, region: str, user: str, life_s: int) -> str:
    import boto3  # noqa: PLC0415 - slow to import, and only here

    session = boto3.Session(credentials.access_key, credentials.secret_key, region_name=region)
    client = session.client("dsql")
    admin = user == ADMIN
    generate = client.generate_db_connect_admin_auth_token if admin else client.generate_db_connect_auth_token
    return str(generate(Hostname=HOST, Region=region, ExpiresIn=life_s))


def _credentials(folder: Folder, state: State) -> Credentials:
    given = _given_credentials()
    try:
        credentials = read_credentials(folder) if state.own_credentials else given
    except (OSError, ValueError, KeyError) as error:
        raise TargetError(f"{folder.credentials} cannot be read: restart the endpoint") from error
    if credentials is None:
        raise TargetError(
            "the endpoint was started with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set them here too"
        )
    return credentials


def _given_credentials() -> Credentials | None:
    access, secret = (os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return Credentials(access, secret) if access and secret else None


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION


def _folder(places: Places) -> Folder:
    return Folder(places.root / "endpoint")


@contextmanager
def _locked(folder: Folder) -> Iterator[None]:
    try:
        with filelock.FileLock(folder.lock, timeout=_LOCK_S):
            yield
    except filelock.Timeout as error:
        raise TargetError(
            f"another process has held {folder.lock} for {_LOCK_S} s: end it, then try again"
        ) from error


def _describe(folder: Folder, state: State, region: str) -> Endpoint:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - only after Locust has patched the process

    dsn = make_conninfo(
        host=HOST,
        port=state.ports[region],
        dbname="postgres",
        user=ADMIN,
        sslmode="verify-full",
        sslrootcert=str(folder.ca),
    )
    return Endpoint(HOST, state.ports[region], region, folder.ca, dsn)


def _start(folder: Folder, places: Places, wish: Wish) -> State:
    """Start the process and wait until it says that it is ready. Called under the lock."""
    given = _given_credentials()
    regions = wish.regions or (_region(),)
    profiles = wish.profiles or (Profile(),) * len(regions)
    task = {
        "folder": str(folder.path),
        "backend": str(places.socket),
        "port": wish.port,
        "regions": {
            region: [each.rtt_s, each.commit_s] for region, each in zip(regions, profiles, strict=True)
        },
        "rules": wish.rules is not False,
        "access_key": given.access_key if given else "",
        "secret_key": given.secret_key if given else "",
    }
    said = _launch(folder, task)
    state = read_state(folder)
    if said != _READY or state is None:
        reason = said or f"see {folder.log}"
        raise TargetError(
            f"the endpoint does not start: {reason}{f' (--port {wish.port})' if wish.port else ''}"
        )
    return state


def _launch(folder: Folder, task: dict[str, Any]) -> str:
    """Start the process, its task on standard input; what it says: one line, then it is on its own.

    It has a session of its own and next to no environment.
    """
    with folder.log.open("wb") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "hotrow.standin.endpoint.serve"],
                input=json.dumps(task).encode(),
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,
                timeout=_START_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"the endpoint is not ready after {_START_S} s: see {folder.log}") from error
    return done.stdout.decode(errors="replace").strip()


def _end(state: State) -> None:
    """SIGTERM, and SIGKILL where that does not end it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(state.pid)
        process.terminate()
        if not _gone(state):
            process.kill()
            if not _gone(state):
                raise TargetError(f"the endpoint (process {state.pid}) does not stop")


def _gone(state: State) -> bool:
    until = time.monotonic() + _STOP_S
    while is_alive(state) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(state)
