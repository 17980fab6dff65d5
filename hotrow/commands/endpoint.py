"""The endpoint in `hotrow local`: the commands `token` and `faults`, and parts of `up` and `status`."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from hotrow.commands.click_options import readable
from hotrow.errors import UsageError
from hotrow.standin.endpoint.control import FaultReport, ask_control
from hotrow.standin.endpoint.credentials import keys_are_guessable, make_token
from hotrow.standin.endpoint.faults import Fault, Faults
from hotrow.standin.endpoint.folder import ADDRESS, HOST
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.lifecycle import Endpoint, EndpointOptions, ensure_endpoint, find_endpoints
from hotrow.standin.endpoint.running import find_control
from hotrow.standin.endpoint.token import ADMIN
from hotrow.units import format_duration, parse_duration_s, read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ABOUT = {
    Fault.CONFLICT: "COMMIT, or a write outside of a transaction, gets 40001 OC000 and is rolled back.",
    Fault.SCHEMA_CONFLICT: "The same with OC001.",
    Fault.DROP_BEFORE: "The connection breaks before COMMIT reaches the server.",
    Fault.DROP_DURING: "It breaks before the answer to COMMIT. A coin toss decides if the server got it.",
    Fault.DROP_AFTER: "It breaks after the server committed, before the client hears.",
    Fault.UNAVAILABLE: "A statement gets XX000 server unavailable. A coin toss decides if COMMIT works.",
    Fault.REFUSE: "A new connection is refused: waking up cluster, please retry later.",
    Fault.REJECT_TOKEN: "A good token is denied: access denied.",
    Fault.EXPIRE_TOKEN: "The same with the hint that its signature has expired.",
}
_SEED_BITS = 63
_CLUSTER_FORM = "ID.dsql.REGION.on.aws"
_CLUSTER = re.compile(r"[a-z0-9]{26}\.dsql\.([a-z0-9]+(?:-[a-z0-9]+)+)\.on\.aws", re.ASCII)
_PORT = 5432
_MAX_SHOWN = 80
_TRUST = ("SSL_CERT_FILE", "PGSSLROOTCERT", "NODE_EXTRA_CA_CERTS")
"""The variables by which OpenSSL and Python, libpq, and node find authorities."""
_GUESSABLE = (
    "hotrow: warning: AWS_SECRET_ACCESS_KEY is short or well known: every user of this machine "
    "may guess it and get in as admin; use a random one, or unset it for keys that the endpoint makes itself"
)


@click.command()
@click.option("--user", default=ADMIN, show_default=True, help="The user that the token is for.")
@click.option("--expires", default=900, show_default=True, help="Life of the token in seconds.")
@click.option(
    "--region", default="", help="The region that the token is for. If it is not given: the first region."
)
def token(user: str, expires: int, region: str) -> None:
    """Print a token, the password for the running endpoint.

    Exit code 0; 2 if no endpoint is running.

    \b
    Example:
      hotrow local token
      PGPASSWORD=$(hotrow local token) psql "$(hotrow local status --json | jq -r .endpoint.dsn)"
    """  # noqa: D301 - click wants the character
    click.echo(make_token(user, expires, region))


def _read_rate(text: object) -> float:
    return read_number("--connect-rate", text, above_least=True)


def _read_burst(text: object) -> float:
    return read_number("--connect-burst", text)


def _with_probabilities(command: Callable[..., None]) -> Callable[..., None]:
    for fault, text in reversed(_ABOUT.items()):
        command = click.option(fault.option, type=float, metavar="P", help=text)(command)
    return command


@click.command()
@_with_probabilities
@click.option(
    "--delay", metavar="P:DURATION", help="With probability P an answer comes later, such as 0.1:200ms."
)
@click.option(
    "--connect-rate",
    type=readable(_read_rate),
    metavar="N",
    help="New connections per second. The endpoint refuses more with 53400.",
)
@click.option(
    "--connect-burst",
    type=readable(_read_burst),
    metavar="M",
    help="New connections at once. If it is not given: N.",
)
@click.option(
    "--session-life",
    type=readable(partial(parse_duration_s, option="--session-life")),
    metavar="DURATION",
    help="Age at which the endpoint closes a connection, such as 60s.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**_SEED_BITS - 1),
    help="Seed of the random choices: the same seed gives the same faults.  [default: 0]",
)
@click.option("--off", is_flag=True, help="No faults.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: faults, fired, told_conflicts.")
def faults(off: bool, as_json: bool, **options: Any) -> None:
    """Make the running endpoint fail, with probability P (0 to 1), or show its faults.

    The faults hold at once and for all connections. Faults that are not named are switched off. Without an
    option the command shows the faults in force, and how often each has fired since they were set.

    Exit code 0; 2 if no endpoint is running.

    \b
    Example:
      hotrow local faults --conflict 0.2
      hotrow local faults --drop-during 0.05 --seed 7
      hotrow local faults
      hotrow local faults --off
    """  # noqa: D301 - click wants the character
    values = {name: value for name, value in options.items() if value is not None}
    if off and values:
        raise UsageError("--off means no faults: leave out the other options, or leave out --off")
    report = ask_control(find_control(), _read_options(values) if values or off else None)
    if as_json:
        fired = {fault.value: count for fault, count in report.fired.items()}
        told = {"told_conflicts": report.told_conflicts}
        click.echo(json.dumps({"faults": asdict(report.faults), "fired": fired, **told}))
        return
    for line in _lines(report):
        click.echo(line)


def _read_options(texts: dict[str, Any]) -> Faults:
    values = dict(texts)
    if "delay" in values:
        share, _, duration = values["delay"].partition(":")
        values["delay"] = _read_share(share)
        values["delay_s"] = parse_duration_s(duration, option="--delay")
    if "session_life" in values:
        values["session_life"] = parse_duration_s(values["session_life"], option="--session-life")
    if "connect_rate" in values:
        values["connect_rate"] = _read_rate(values["connect_rate"])
        values.setdefault("connect_burst", max(values["connect_rate"], 1.0))
    if "connect_burst" in values:
        values["connect_burst"] = _read_burst(values["connect_burst"])
    return Faults(**values)


def _read_share(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"--delay: {text!r} is not a probability; write P:DURATION, for example 0.1:200ms"
        ) from error


def _lines(report: FaultReport) -> list[str]:
    """One line per fault in force: its value, and how often it has fired; then all conflicts."""
    if not report.faults.any:
        return ["No faults are in force.", *_told(report)]
    rows = [
        f"{fault.option[2:]:<16}{_value(fault, report.faults):<16}fired {report.fired[fault]}"
        for fault in Fault
        if report.faults.share(fault)
    ]
    return [*rows, f"{'seed':<16}{report.faults.seed}", *_told(report)]


def _told(report: FaultReport) -> list[str]:
    """How many conflicts clients were told; nothing if there was none."""
    told = report.told_conflicts
    if not told:
        return []
    injected = report.fired[Fault.CONFLICT] + report.fired[Fault.SCHEMA_CONFLICT]
    return [f"{told} conflict{'' if told == 1 else 's'} told to clients, {injected} of them injected"]


def _value(fault: Fault, faults: Faults) -> str:
    if fault is Fault.DELAY:
        return f"{faults.delay:g}:{format_duration(faults.delay_s)}"
    if fault is Fault.CONNECT_RATE:
        return f"{faults.connect_rate:g}/s, {faults.connect_burst:g}"
    if fault is Fault.SESSION_LIFE:
        return format_duration(faults.session_life)
    return f"{faults.share(fault):g}"


def read_endpoint_options(
    port: int | None,
    rules: bool | None,
    *,
    regions: Sequence[str] = (),
    hostnames: Sequence[str] = (),
    rtt: str | None = None,
    commit: str | None = None,
) -> EndpointOptions:
    """The endpoint that the options of `up` ask for.

    Raises:
        UsageError: a region is named twice, a duration or a cluster's name cannot be read, or there is not
            one per region.
    """
    regions = _read_hostnames(hostnames, regions) if hostnames else regions
    if len(set(regions)) != len(regions) or not all(_is_region(region) for region in regions):
        raise UsageError("--region: name each region once, in small letters, digits and -, as us-east-1")
    count = max(len(regions), 1)
    pairs = zip(_read_each(rtt, count, "--rtt"), _read_each(commit, count, "--commit"), strict=True)
    profiles = () if rtt is None and commit is None else tuple(LatencyProfile(*pair) for pair in pairs)
    return EndpointOptions(port or 0, rules, tuple(regions), tuple(hostnames), profiles)


def _read_hostnames(hostnames: Sequence[str], regions: Sequence[str]) -> list[str]:
    """The regions of the clusters' names, which must be those of `--region` if there are any.

    Raises:
        UsageError: a name is not that of a cluster, or is of another region.
    """
    found = []
    for name in hostnames:
        match = _CLUSTER.fullmatch(name)
        if match is None:
            shown = repr(name[:_MAX_SHOWN])
            raise UsageError(f"--hostname {shown}: write {_CLUSTER_FORM}; the ID has 26 letters or digits")
        found.append(match[1])
    if len(set(found)) != len(found):
        raise UsageError("--hostname: each name must be of another region")
    if len(regions) not in {0, len(found)}:
        raise UsageError(f"--hostname: {len(found)} for {len(regions)} regions; write one per region")
    for region, own, name in zip(regions, found, hostnames, strict=False):
        if region != own:
            raise UsageError(f"--hostname {name} is in {own}, but --region says {region}: leave --region out")
    return found


def _is_region(text: str) -> bool:
    return text.isascii() and text.replace("-", "").isalnum() and text == text.lower()


def _read_each(text: str | None, count: int, option: str) -> list[float]:
    """Durations in seconds, one per region; `text` has one for each region or one for all, None is 0."""
    seconds = [parse_duration_s(part, option=option) for part in ("0" if text is None else text).split(",")]
    if len(seconds) not in {1, count}:
        raise UsageError(f"{option} {text}: give one duration, or one for each of the {count} regions")
    return seconds * count if len(seconds) == 1 else seconds


def start_endpoint(options: EndpointOptions) -> None:
    """Start the endpoint if it is not running, and print how to connect."""
    ensure_endpoint(options)
    for endpoint in find_endpoints():
        click.echo(
            f"The endpoint listens on {endpoint.host}, port {endpoint.port}, "
            f"as Aurora DSQL in {endpoint.region}."
        )
        click.echo(f"  dsn      {endpoint.dsn}")
    click.echo("  password hotrow local token")
    _show_names([endpoint for endpoint in find_endpoints() if endpoint.host != HOST])
    if keys_are_guessable():
        click.echo(_GUESSABLE, err=True)


def _show_names(endpoints: Sequence[Endpoint]) -> None:
    """Print what makes AWS's connectors find the endpoint by its clusters' names, and trust it."""
    if not endpoints:
        return
    names = " ".join(endpoint.host for endpoint in endpoints)
    click.echo(f"  hosts    {ADDRESS} {names}")
    click.echo("           (a line for /etc/hosts)")
    bundle = shlex.quote(str(endpoints[0].bundle))
    click.echo(f"  trust    export {' '.join(f'{name}={bundle}' for name in _TRUST)}")
    if any(endpoint.port != _PORT for endpoint in endpoints):
        click.echo(f"  port     AWS's connectors use {_PORT} unless they are told another: --port {_PORT}")


def told_conflicts() -> int | None:
    """How many conflicts the endpoint has told clients since its faults were set; None if none runs."""
    return ask_control(find_control(), None).told_conflicts if find_endpoints() else None


def endpoint_facts() -> dict[str, str] | None:
    """The first region of the endpoint, for `status --json`; None if no endpoint is running."""
    return next((_facts(endpoint) for endpoint in find_endpoints()), None)


def endpoints_facts() -> list[dict[str, str]]:
    """The same for every region."""
    return [{"region": endpoint.region, **_facts(endpoint)} for endpoint in find_endpoints()]


def _facts(endpoint: Endpoint) -> dict[str, str]:
    return {
        "dsn": endpoint.dsn,
        "host": endpoint.host,
        "ca": str(endpoint.ca),
        "bundle": str(endpoint.bundle),
    }
