"""How boto3 is opened: its usual chain of credentials, with limits of time for whoever is asked in it."""

from __future__ import annotations

from typing import Any

PATIENCE_S = 10.0
"""To connect, and for one answer. boto3's own limits, for a role's credentials too, add up to minutes."""
TRIES = 3


def open_session() -> Any:
    """A boto3 session of its own: sessions are not for several threads. Nothing is asked yet.

    Raises:
        BotoCoreError: there is no such profile.
    """
    import boto3  # noqa: PLC0415 - slow to import, and rarely needed
    from botocore.config import Config  # noqa: PLC0415 - the same
    from botocore.session import Session  # noqa: PLC0415 - the same

    core = Session()
    core.set_default_client_config(
        Config(
            connect_timeout=PATIENCE_S,
            read_timeout=PATIENCE_S,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
        )
    )
    return boto3.Session(botocore_session=core)
