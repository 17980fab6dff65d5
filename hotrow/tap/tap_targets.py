"""From the text of `--to` to the server behind the tap, and what is changed on the way there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hotrow.errors import UsageError
from hotrow.standin.endpoint.joining import Translation, for_standin
from hotrow.standin.endpoint.latency import LatencyProfile
from hotrow.standin.endpoint.lifecycle import read_long_names
from hotrow.standin.endpoint.token import ADMIN
from hotrow.standin.rewriting.long_names import LONG_NAMES
from hotrow.tap.server_login import ServerLogin
from hotrow.targets.server_address import address_of
from hotrow.targets.target import parse_target, start

if TYPE_CHECKING:
    from hotrow.targets.target import Target


def find_target(text: str) -> Target:
    """The target of `--to`, started if it is hotrow's own.

    Raises:
        UsageError: the text is not a target.
        TargetError: hotrow's own server cannot be started.
    """
    try:
        return start(parse_target(text))
    except UsageError as error:
        raise UsageError(str(error).replace("--host", "--to")) from None


def describe(target: Target) -> dict[str, Any]:
    """The entry for a target in run.json. The program chooses the isolation level, except on the stand-in."""
    facts = {name: fact for name, fact in target.description("").items() if name != "begin"}
    if target.type != "postgresql":
        return facts
    label = str(facts["label"]).replace(f", {facts['isolation']}", "")
    return {**facts, "label": label, "isolation": "chosen by the program"}


def login_to(target: Target) -> ServerLogin:
    """Opens connections to a target that has been started.

    Raises:
        UsageError: the target has several servers.
        TargetError: the file of certificate authorities cannot be read.
    """
    address = address_of(target)
    return ServerLogin(replace(address, user=ADMIN) if target.type == "local" else address)


def translation_of(target: Target) -> Translation:
    """What is changed between the tap's clients and a target."""
    if target.type != "local":
        return Translation()
    LONG_NAMES.update(read_long_names())
    return for_standin(target.rewrite)


def latency_of(target: Target) -> LatencyProfile:
    """The latency that the target adds."""
    return (
        LatencyProfile(target.latency.rtt_s, target.latency.commit_s) if target.latency else LatencyProfile()
    )
