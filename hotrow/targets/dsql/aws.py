"""Opens boto3 sessions with the usual chain of credentials and with time limits."""

from __future__ import annotations

from typing import Any

TIMEOUT_S = 10.0
"""For a connection, and for one answer. The limits of boto3 itself add up to minutes."""
MAX_TRIES = 3


def open_session() -> Any:
    """A new boto3 session, because threads cannot share one. Nothing is sent.

    Raises:
        BotoCoreError: the AWS profile does not exist.
    """
    import boto3  # noqa: PLC0415 - slow to import, and rarely needed
    from botocore.config import Config  # noqa: PLC0415 - the same
    from botocore.session import Session  # noqa: PLC0415 - the same

    core = Session()
    core.set_default_client_config(
        Config(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": MAX_TRIES, "mode": "standard"},
        )
    )
    return boto3.Session(botocore_session=core)
