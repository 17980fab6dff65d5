"""The endpoint's part of `hotrow local`: `token`, and what `up --endpoint`, `status` and `down` add."""

from __future__ import annotations

import click

from hotrow.targets.endpoint.lifecycle import Endpoint, ensure_endpoint, find_endpoint, make_token
from hotrow.targets.endpoint.token import ADMIN


@click.command()
@click.option("--user", default=ADMIN, show_default=True, help="The user that the token is for.")
@click.option("--expires", default=900, show_default=True, help="Its life in seconds.")
def token(user: str, expires: int) -> None:
    """Print a token, the password for the running endpoint.

    Exit code 0; 2 where no endpoint runs.

    \b
    Example:
      hotrow local token
      PGPASSWORD=$(hotrow local token) psql "$(hotrow local status --json | jq -r .endpoint.dsn)"
    """  # noqa: D301 - click wants the character
    click.echo(make_token(user, expires))


def start_endpoint(port: int, *, rules: bool | None) -> None:
    """Start the endpoint, or find it running; print how to connect."""
    endpoint = ensure_endpoint(port, rules=rules)
    click.echo(
        f"The endpoint listens on {endpoint.host}, port {endpoint.port}, as Aurora DSQL in {endpoint.region}."
    )
    click.echo(f"  dsn      {endpoint.dsn}")
    click.echo("  password hotrow local token")


def endpoint_facts() -> dict[str, str] | None:
    """What `status --json` says about the endpoint; None where none runs."""
    endpoint = find_endpoint()
    return _facts(endpoint) if endpoint else None


def _facts(endpoint: Endpoint) -> dict[str, str]:
    return {"dsn": endpoint.dsn, "ca": str(endpoint.ca)}
