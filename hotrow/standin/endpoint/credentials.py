"""The AWS keys of the running endpoint, and the tokens that are signed with them."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from hotrow.errors import TargetError, UsageError
from hotrow.standin.endpoint.folder import EndpointFolder, EndpointState, read_credentials, read_state
from hotrow.standin.endpoint.running import find_folder, require_running
from hotrow.standin.endpoint.token import ADMIN, MAX_TOKEN_LIFE_S, Credentials


def environment_credentials() -> Credentials | None:
    """The keys in the environment; None unless both are set."""
    access_key, secret_key = (
        os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    )
    return Credentials(access_key, secret_key) if access_key and secret_key else None


def keys_are_guessable() -> bool:
    """Whether the running endpoint uses the keys in the environment, and others may guess them."""
    state = read_state(find_folder())
    credentials = environment_credentials()
    if state is None or state.own_credentials or credentials is None:
        return False
    return credentials.guessable


def make_token(user: str = ADMIN, life_s: int = 900, region: str = "") -> str:
    """A token that the running endpoint accepts in this region, made by AWS's own library.

    Args:
        user: the database user.
        life_s: how long the token is valid, in seconds.
        region: by default the endpoint's first region.

    Raises:
        TargetError: no endpoint runs, it does not serve that region, or its credentials are not available
            here.
        UsageError: AWS does not allow such a life.
    """
    if not 1 <= life_s <= MAX_TOKEN_LIFE_S:
        raise UsageError(f"a token lives 1 to {MAX_TOKEN_LIFE_S} seconds, not {life_s}: change --expires")
    folder = find_folder()
    state = require_running(folder)
    if region and region not in state.ports:
        raise TargetError(f"--region {region}: the endpoint has {', '.join(state.ports)}")
    region = region or state.region
    return _sign(_endpoint_credentials(folder, state), region, state.host(region), user, life_s)


def _sign(credentials: Credentials, region: str, host: str, user: str, life_s: int) -> str:
    client = _client(credentials, region)
    admin = user == ADMIN
    generate = client.generate_db_connect_admin_auth_token if admin else client.generate_db_connect_auth_token
    return str(generate(Hostname=host, Region=region, ExpiresIn=life_s))


@cache
def _client(credentials: Credentials, region: str) -> Any:
    """AWS's client for these keys; making one takes a fifth of a second."""
    import boto3  # noqa: PLC0415 - slow to import, and only needed here

    session = boto3.Session(credentials.access_key, credentials.secret_key, region_name=region)
    return session.client("dsql")


def _endpoint_credentials(folder: EndpointFolder, state: EndpointState) -> Credentials:
    try:
        credentials = read_credentials(folder) if state.own_credentials else environment_credentials()
    except (OSError, ValueError, KeyError) as error:
        raise TargetError(f"{folder.credentials} cannot be read: restart the endpoint") from error
    if credentials is None:
        raise TargetError(
            "the endpoint was started with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set them here too"
        )
    return credentials
